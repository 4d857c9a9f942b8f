"""A small mail server on loopback, with STARTTLS, TLS, a login, and refusals that the test sets."""

import datetime
import ssl
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass
class MailServer:
    """The server's input. `replies` replaces a reply, by command, such as `RCPT TO:<a@b>`, or `.`."""

    port: int = 0
    replies: dict[str, str] = field(default_factory=dict)
    offers: tuple[str, ...] = ("SIZE 1000000",)
    context: ssl.SSLContext | None = None
    commands: list[str] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(octets, policy=default) for octets in self.raw]

    def reply(self, command: str, usual: str) -> str:
        wanted = (text for start, text in self.replies.items() if command.lower().startswith(start.lower()))
        return next(wanted, usual)


class _Session(StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        mail = self.server.mail
        self.secure = False
        self.accepted: list[str] = []
        greeting = mail.reply("GREETING", "220 mail.example")
        if greeting == "SAY NOTHING":
            self.rfile.read()
            return
        self._say(greeting)
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            mail.commands.append(line)
            if not self._answer(line, mail):
                return

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def _answer(self, line: str, mail: MailServer) -> bool:
        word = line.partition(" ")[0].upper()
        reply = mail.reply(line, "")
        if reply == "HANG UP":
            return False
        if reply:
            self._say(reply)
            return not reply.startswith("421")
        if word == "EHLO":
            self._say("\r\n".join(f"250-{offer}" for offer in ("mail.example", *mail.offers)) + "\r\n250 HELP")
        elif word == "STARTTLS":
            self._say("220 go ahead")
            assert mail.context is not None
            self.request = mail.context.wrap_socket(self.request, server_side=True)
            self.setup()
        elif word == "AUTH":
            user, password = b64decode(line.split()[2]).decode().split("\0")[1:]
            mail.logins.append((user, password))
            self._say("235 welcome")
        elif word == "DATA":
            self._say("354 end with .")
            self._take(mail)
        else:
            if word == "RCPT":
                self.accepted.append(line[len("RCPT TO:<") :].partition(">")[0])
            self._say("221 bye" if word == "QUIT" else "250 ok")
        return word != "QUIT"

    def _take(self, mail: MailServer) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        reply = mail.reply(".", "250 queued")
        if reply.startswith("250"):
            mail.raw.append(b"".join(lines))
            mail.recipients.append(self.accepted)
        self._say(reply)

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, mail: MailServer, *, wrapped: bool) -> None:
        self.mail = mail
        self.wrapped = wrapped
        super().__init__(("127.0.0.1", 0), _Session)

    def finish_request(self, request: object, client_address: object) -> None:
        try:
            if self.wrapped:
                assert self.mail.context is not None
                request = self.mail.context.wrap_socket(request, server_side=True)  # type: ignore[arg-type]
            super().finish_request(request, client_address)  # type: ignore[arg-type]
        except OSError:
            pass  # the client does not want to go on: it distrusts the certificate


@contextmanager
def mail_server(*, wrapped: bool = False, certificate: Path | None = None) -> Iterator[MailServer]:
    """The server; `wrapped` uses TLS from the first byte."""
    mail = MailServer()
    if certificate is not None:
        mail.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        mail.context.load_cert_chain(certificate)
    with _Server(mail, wrapped=wrapped) as server:
        mail.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield mail
        server.shutdown()
        thread.join()


def make_certificate(directory: Path) -> Path:
    """A key and a self-signed certificate for 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example")])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "mail.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(pem))
    return path
