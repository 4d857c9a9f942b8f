"""E-mail: one mail to all recipients by SMTP, in plain text and simple HTML, with one Message-ID for all attempts."""

import smtplib
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Final, TypeAlias

from tagtrail.config.channels import EmailConfig
from tagtrail.errors import ConfigurationError
from tagtrail.notify.channels.plaintext import PLAIN, make_inert, no_encoded_word
from tagtrail.notify.deadline import Deadline
from tagtrail.notify.formatting import COLOURS, footer, one_line, plain, presentable
from tagtrail.notify.http import READ_TIMEOUT, TOTAL_TIMEOUT, Channel, SendOutcome
from tagtrail.notify.message import Fact, Message
from tagtrail.notify.templates import apply_templates
from tagtrail.trail.instant import SECOND, now

Refusals: TypeAlias = Mapping[str, tuple[int, bytes]]

_LONGEST_DETAIL: Final = 300
_PAGE: Final = """\
<!doctype html>
<html lang="en"><body style="font-family: sans-serif; line-height: 1.4">
<h2 style="border-left: 6px solid {colour}; padding-left: 10px; font-size: 18px">{title}</h2>
{parts}
<p style="color: #667">{footer}</p>
</body></html>
"""


def make(config: EmailConfig, *, clock: Callable[[], int] = now) -> Channel:
    """The channel to the addresses `to`, through the server `host`. `clock` dates the mails.

    Raises ConfigurationError if SMTP cannot carry the user or the password.
    """
    password = config.password.reveal() if config.password is not None else ""
    if not f"{config.user or ''}{password}".isascii():
        raise ConfigurationError(
            f"notify: the channel {config.name!r} has a user or a password beyond ASCII, which SMTP cannot carry; "
            "change it"
        )
    return Email(config, password, clock)


class Email:
    """Sends mails through one server to the configured recipients."""

    def __init__(self, config: EmailConfig, password: str, clock: Callable[[], int]) -> None:
        self.name = config.name
        self._config = config
        self._password = password
        self._clock = clock
        self._host = config.host.strip("[]")
        self._sender = config.sender
        self._user = config.user

    def send(self, message: Message) -> SendOutcome:
        """Send one mail to all recipients."""
        mail, template_error = self._form(message)
        with Deadline(TOTAL_TIMEOUT) as deadline:
            try:
                refused = self._deliver(mail, deadline)
            except (smtplib.SMTPException, OSError, ValueError) as error:
                if deadline.is_over:
                    return SendOutcome(is_sent=False, detail=f"no answer within {TOTAL_TIMEOUT:g} s")
                return self._failed(error)
        return SendOutcome(is_sent=True, detail=self._describe(refused), status=250, template_error=template_error)

    def preview(self, message: Message) -> str:
        """The subject and the plain text."""
        mail, template_error = self._form(message)
        return f"Subject: {mail['Subject']}\n\n{_plain_part(mail)}{template_error or ''}"

    def _form(self, message: Message) -> tuple[EmailMessage, str | None]:
        """The mail, and the error of a broken template."""
        output = apply_templates(self._config, message, PLAIN)
        shown = presentable(message)
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = f"[tagtrail] {no_encoded_word(shown.title)}"
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._config.to)
        mail["Date"] = format_datetime(datetime.fromtimestamp(self._clock() // SECOND, UTC))
        mail["Message-ID"] = f"<{message.id}@{self._sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
        mail.set_content(plain(make_inert(shown), output.text))
        mail.add_alternative(_write_page(make_inert(shown), output.text), subtype="html")
        return mail, output.error

    def _deliver(self, mail: EmailMessage, deadline: Deadline) -> Refusals:
        """Send the mail; returns the recipients that the server refused while it accepted others."""
        context = ssl.create_default_context()
        tls, port = self._config.tls, self._config.port or 0
        with closing(_Connection(self._host, port, context if tls == "tls" else None, deadline)) as smtp:
            if tls == "starttls":
                smtp.starttls(context=context)
            if self._user is not None:
                smtp.login(self._user, self._password)
            refused = smtp.send_message(mail, self._sender, self._config.to)
            with suppress(smtplib.SMTPException, OSError):  # the mail is already accepted
                smtp.quit()
            return refused

    def _describe(self, refused: Refusals) -> str:
        if not refused:
            return "accepted"
        return self._readable(f"accepted for {len(self._config.to) - len(refused)} of {len(self._config.to)}", refused)

    def _failed(self, error: Exception) -> SendOutcome:
        """Codes from 500 on are permanent (RFC 5321, section 4.2.1); all other failures are tried again."""
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            codes = [code for code, _ in error.recipients.values()]
            detail = self._readable("no recipient was accepted", error.recipients)
            return SendOutcome(is_sent=False, detail=detail, status=min(codes), is_permanent=min(codes) >= 500)
        if isinstance(error, smtplib.SMTPResponseException):
            detail = self._hide(_text(error.smtp_error))
            return SendOutcome(
                is_sent=False, detail=detail, status=error.smtp_code, is_permanent=error.smtp_code >= 500
            )
        return SendOutcome(is_sent=False, detail=_reason(error))

    def _readable(self, what: str, refused: Refusals) -> str:
        each = "; ".join(f"{address}: {code} {_text(words)}" for address, (code, words) in refused.items())
        return self._hide(f"{what}, refused: {each}")

    def _hide(self, text: str) -> str:
        """The text as one line, without the password, which a server may repeat."""
        given = (self._password, b64encode(self._password.encode()).decode().rstrip("="))
        for secret in (*given, b64encode(f"\0{self._user}\0{self._password}".encode()).decode().rstrip("=")):
            if self._password:
                text = text.replace(secret, "[hidden]")
        return one_line(text, _LONGEST_DETAIL)


class _Connection(smtplib.SMTP):
    """SMTP over a connection that a deadline watches; with a `context` it begins with TLS."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, deadline: Deadline) -> None:
        self._context = context
        self._deadline = deadline
        super().__init__(host, port, timeout=READ_TIMEOUT)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = socket.create_connection((host, port), timeout)
        self._deadline.watch(connection)
        return connection if self._context is None else self._context.wrap_socket(connection, server_hostname=host)


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):  # smtplib wraps it
        return f"no answer within {READ_TIMEOUT:g} s"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return one_line(str(error), _LONGEST_DETAIL)
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "the connection was closed"
    return getattr(error, "strerror", None) or type(error).__name__


def _plain_part(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    return "" if part is None else str(part.get_content())


def _write_page(message: Message, sentences: str | None) -> str:
    shown = message.sentences if sentences is None else sentences.splitlines()
    parts = [f"<p>{escape(sentence)}</p>" for sentence in shown]
    if message.facts:
        parts.append(f"<table>{''.join(map(_row, message.facts))}</table>")
    for fact in message.copy:
        parts.append(f"<p>{escape(fact.label)}:</p><pre>{escape(fact.value)}</pre>")
    if message.link is not None:
        parts.append(f'<p><a href="{escape(message.link)}">Open in tagtrail</a></p>')
    return _PAGE.format(
        colour=f"#{COLOURS[message.tone]:06x}",
        title=escape(message.title),
        parts="\n".join(parts),
        footer=escape(footer(message)),
    )


def _row(fact: Fact) -> str:
    value = f"<code>{escape(fact.value)}</code>" if fact.is_code else escape(fact.value)
    return f'<tr><td style="color: #667; padding-right: 12px">{escape(fact.label)}</td><td>{value}</td></tr>'
