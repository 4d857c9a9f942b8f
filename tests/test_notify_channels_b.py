"""ntfy, Gotify, e-mail, console and Apprise: every message in its service's form, and nothing in it is alive."""

import importlib.util
import io
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tagtrail.config.channels import ChannelConfig
from tagtrail.errors import ConfigurationError
from tagtrail.notify.channels import make_channel
from tagtrail.notify.channels.email import make as make_email
from tagtrail.notify.message import Message
from tests.chat import ChatRoom, Reply
from tests.conftest import Clock
from tests.mail_server import MailServer, mail_server, make_certificate
from tests.typical_messages import LINK, NASTY, REFERENCE, TYPICAL, alert, channel_config, nasty, rollback, violation

TOPIC = "releases-a8f3c1"
TOKEN = "tk_not-to-be-shown-anywhere"
PASSWORD = "a-password-not-to-be-shown"
SECRETS = (TOPIC, TOKEN, PASSWORD)
UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# docs.ntfy.sh/publish/#publish-as-json, with the limits of a server by its defaults.
NTFY = {
    "type": "object",
    "required": ["topic", "message"],
    "additionalProperties": False,
    "properties": {
        "topic": {"type": "string", "pattern": "^[-_A-Za-z0-9]{1,64}$"},
        "title": {"type": "string", "maxLength": 250},
        "message": {"type": "string", "minLength": 1},
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "tags": {"type": "array", "items": {"enum": ["package", "white_check_mark", "warning", "rotating_light"]}},
        "click": {"type": "string", "format": "uri"},
        "markdown": {"const": False},
    },
}
# gotify.net/api-docs, `MessageExternal`, and gotify.net/docs/msgextras.
GOTIFY = {
    "type": "object",
    "required": ["message"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string"},
        "message": {"type": "string", "minLength": 1},
        "priority": {"type": "integer", "minimum": 0, "maximum": 10},
        "extras": {
            "type": "object",
            "required": ["client::display"],
            "additionalProperties": False,
            "properties": {
                "client::display": {"const": {"contentType": "text/plain"}},
                "client::notification": {"const": {"click": {"url": LINK}}},
            },
        },
    },
}


def ntfy(room: ChatRoom, **more: Any) -> Any:
    return channel_config("ntfy", secrets={"url": f"{room.url}/{TOPIC}", "token": TOKEN}, **more)


def gotify(room: ChatRoom, **more: Any) -> Any:
    return channel_config("gotify", secrets={"token": TOKEN}, url=room.url, **more)


def email(
    port: int = 1,
    *,
    tls: str = "none",
    to: tuple[str, ...] = ("ops@example.org",),
    password: str = PASSWORD,
    **more: str,
) -> Any:
    secrets = {"password": password} if "user" in more else {}
    sender = "tagtrail@example.org"
    return channel_config("email", secrets=secrets, host="127.0.0.1", port=port, tls=tls, sender=sender, to=to, **more)


POSTED: list[tuple[Callable[..., ChannelConfig], dict[str, Any]]] = [(ntfy, NTFY), (gotify, GOTIFY)]


@pytest.fixture
def posts() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


def sends(config: ChannelConfig, message: Message) -> None:
    outcome = make_channel(config).send(message)
    assert outcome.is_sent, outcome


def parts_of(server: MailServer) -> tuple[str, str]:
    """The plain text and the HTML of the only mail."""
    [mail] = server.mails
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert page is not None
    return plain.get_content(), page.get_content()


# --- ntfy and Gotify


@pytest.mark.parametrize(("config", "schema"), POSTED)
@pytest.mark.parametrize("message", TYPICAL)
def test_a_body_is_what_its_service_documents(
    chat_room: ChatRoom, config: Callable[..., ChannelConfig], schema: dict[str, Any], message: Callable[[], Message]
) -> None:
    sends(config(chat_room), message())
    [request] = chat_room.requests
    jsonschema.validate(request.json, schema, format_checker=jsonschema.FormatChecker())
    assert message().sentences[0] in request.json["message"]
    assert request.json["title"] == message().title


@pytest.mark.parametrize(("config", "schema"), POSTED)
@pytest.mark.parametrize("text", NASTY)
def test_nothing_from_outside_is_alive_in_a_body(
    chat_room: ChatRoom, config: Callable[..., ChannelConfig], schema: dict[str, Any], text: str
) -> None:
    sends(config(chat_room), rollback())
    sends(config(chat_room), nasty(text))
    usual, request = chat_room.requests
    jsonschema.validate(request.json, schema)
    assert request.headers.keys() == usual.headers.keys()
    for shown in (request.json["title"], request.json["message"]):
        assert not UNSEEN.search(shown)
        words = shown.partition("Pinned reference:")[0]
        assert not re.search(r"(^|\s)@\w|https?://(?!tagtrail)", words)
    assert "\n" not in request.json["title"]


def test_ntfy_publishes_to_the_servers_root_and_names_the_topic_in_the_body(chat_room: ChatRoom) -> None:
    sends(ntfy(chat_room), rollback())
    [request] = chat_room.requests
    assert (request.path, request.headers["Authorization"]) == ("/", f"Bearer {TOKEN}")
    assert request.json["topic"] == TOPIC
    assert request.json["click"] == LINK


@pytest.mark.parametrize(("message", "priority"), [(rollback, 4), (violation, 5), (alert, 5)])
def test_ntfys_priority_follows_the_tone(chat_room: ChatRoom, message: Callable[[], Message], priority: int) -> None:
    sends(ntfy(chat_room), message())
    assert chat_room.requests[0].json["priority"] == priority


@pytest.mark.parametrize("letter", ["x", '"', "ü", "🟢", "\\", "\x00"])
def test_a_long_message_stays_a_message_of_ntfy_and_keeps_its_first_sentence(chat_room: ChatRoom, letter: str) -> None:
    message = replace(nasty(letter * 10_000), sentences=tuple(f"{n} {letter * 999}" for n in range(40)))
    sends(ntfy(chat_room), message)
    [request] = chat_room.requests
    assert len(request.body) <= 8_192
    assert len(request.json["message"].encode()) < 4_096
    assert request.json["message"].startswith("0 ")


@pytest.mark.parametrize("url", ["https://ntfy.example", "https://ntfy.example/", "https://ntfy.example/a b"])
def test_a_url_without_a_topic_of_ntfy_is_refused_unseen(url: str) -> None:
    with pytest.raises(ConfigurationError, match="names no topic") as refused:
        make_channel(channel_config("ntfy", secrets={"url": url}))
    assert url not in str(refused.value).replace("https://ntfy.example/releases", "")


def test_ntfy_behind_a_path_and_with_a_user_is_published_to_there(chat_room: ChatRoom) -> None:
    url = chat_room.url.replace("://", "://me:secret@")
    sends(channel_config("ntfy", secrets={"url": f"{url}/push/{TOPIC}"}), alert())
    assert chat_room.requests[0].path == "/push/"
    assert chat_room.requests[0].headers["Authorization"].startswith("Basic ")


def test_gotify_is_given_its_token_in_a_header(chat_room: ChatRoom) -> None:
    sends(gotify(chat_room), rollback())
    [request] = chat_room.requests
    assert (request.path, request.headers["X-Gotify-Key"]) == ("/message", TOKEN)
    assert REFERENCE in request.json["message"]


@pytest.mark.parametrize("config", [ntfy, gotify])
def test_a_template_takes_the_sentences_place(
    chat_room: ChatRoom, tmp_path: Path, config: Callable[..., ChannelConfig]
) -> None:
    template = tmp_path / "ops.j2"
    template.write_text("{{ actor }} touched {{ repository }}")
    sends(config(chat_room, template=template), replace(rollback(), actor="@everyone"))
    told = chat_room.requests[0].json["message"]
    assert told.startswith("@\u200beveryone touched team/app")
    assert rollback().sentences[0] not in told


def test_an_own_body_is_published_to_the_channels_topic(chat_room: ChatRoom, tmp_path: Path) -> None:
    body = tmp_path / "ops.json.j2"
    body.write_text('{"message": "{{ title }}", "topic": "another"}')
    sends(ntfy(chat_room, body=body), rollback())
    assert chat_room.requests[0].json == {"message": rollback().title, "topic": TOPIC}


@pytest.mark.parametrize(("config", "schema"), POSTED)
def test_with_a_broken_template_the_default_format_is_sent_and_the_error_reported(
    chat_room: ChatRoom, tmp_path: Path, config: Callable[..., ChannelConfig], schema: dict[str, Any]
) -> None:
    template = tmp_path / "ops.j2"
    template.write_text("{{ nothing")
    outcome = make_channel(config(chat_room, template=template)).send(rollback())
    jsonschema.validate(chat_room.requests[0].json, schema)
    assert outcome.is_sent
    assert "ops.j2" in str(outcome.template_error)


def test_ntfy_decodes_nothing_in_a_title(chat_room: ChatRoom) -> None:
    """It makes a header of the title, and reads encoded words in it."""
    sends(ntfy(chat_room), replace(alert(), title="=?utf-8?q?=0D=0ABcc:_all=40victim.example?="))
    assert "=?" not in chat_room.requests[0].json["title"]


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize(("config", "secrets"), [(ntfy, (TOPIC, TOKEN)), (gotify, (TOKEN,))])
def test_no_secret_is_shown_or_logged(
    chat_room: ChatRoom,
    config: Callable[..., ChannelConfig],
    secrets: tuple[str, ...],
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    chat_room.otherwise = Reply(status, f"heard of {secrets}".encode())
    channel = make_channel(config(chat_room))
    outcome = channel.send(rollback())
    assert outcome.is_permanent == (status == 403)
    for shown in (repr(channel), channel.preview(rollback()), repr(outcome), caplog.text):
        assert not [secret for secret in secrets if secret in shown]


# --- e-mail


def test_a_mail_is_plain_text_and_html(posts: MailServer) -> None:
    sends(email(posts.port, to=("ops@example.org", "dev@example.org")), rollback())
    [mail] = posts.mails
    plain, page = parts_of(posts)
    assert mail["Subject"] == f"[tagtrail] {rollback().title}"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["To"] == "ops@example.org, dev@example.org"
    assert posts.recipients == [["ops@example.org", "dev@example.org"]]
    for text in (plain, page):
        assert rollback().sentences[0] in text
        assert REFERENCE in text
        assert LINK in text


def test_every_try_has_the_same_message_id_and_its_own_date(posts: MailServer, clock: Clock) -> None:
    channel = make_email(email(posts.port), clock=clock)
    channel.send(rollback())
    clock.pass_seconds(60)
    channel.send(rollback())
    first, again = posts.mails
    assert first["Message-ID"] == again["Message-ID"] == f"<{rollback().id}@example.org>"
    assert (again["Date"].datetime - first["Date"].datetime).total_seconds() == 60
    assert abs(first["Date"].datetime.timestamp() * 1e9 - clock.now) < 120e9


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]


@pytest.mark.parametrize("text", NASTY)
def test_no_header_tag_or_link_can_be_put_into_a_mail(posts: MailServer, text: str) -> None:
    sends(email(posts.port), nasty(text))
    [mail] = posts.mails
    plain, page = parts_of(posts)
    assert mail.keys() == [
        "Subject",
        "From",
        "To",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    ]
    assert posts.recipients == [["ops@example.org"]]
    assert not re.search(r"[\r\n]", mail["Subject"])
    assert max(map(len, posts.raw[0].split(b"\r\n"))) <= 998
    assert Page(page).tags <= {"html", "body", "h2", "p", "table", "tr", "td", "code", "pre", "a"}
    assert Page(page).links == [LINK]
    for shown in (mail["Subject"], plain, page):
        assert not UNSEEN.search(shown.replace("\r\n", "\n"))
    assert not re.search(r"(^|\s)@\w|https?://(?!tagtrail)", plain.partition("Pinned reference:")[0])


def test_a_mail_that_looks_like_an_encoded_word_is_not_decoded(posts: MailServer) -> None:
    sends(email(posts.port), replace(alert(), title="=?utf-8?q?=0D=0ABcc:_all=40victim.example?="))
    raw = posts.raw[0].partition(b"\r\n\r\n")[0]
    assert b"\r\nBcc:" not in raw


def test_a_line_with_one_dot_does_not_end_a_mail(posts: MailServer) -> None:
    sends(email(posts.port), replace(alert(), sentences=(".", "QUIT", "still here")))
    assert "still here" in parts_of(posts)[0]


@pytest.mark.parametrize(
    ("command", "reply", "is_permanent"),
    [
        ("GREETING", "421 come back later", False),
        ("MAIL", "451 try again", False),
        ("MAIL", "550 you may not", True),
        ("RCPT", "450 greylisted", False),
        ("RCPT", "550 nobody of that name", True),
        ("DATA", "552 full", True),
        (".", "452 no room", False),
        (".", "554 looks like spam", True),
        ("EHLO", "HANG UP", False),
        (".", "HANG UP", False),
    ],
)
def test_a_refusal_of_4xx_is_temporary_and_of_5xx_permanent(
    posts: MailServer, command: str, reply: str, is_permanent: bool
) -> None:
    posts.replies[command] = reply
    outcome = make_channel(email(posts.port)).send(rollback())
    assert (outcome.is_sent, outcome.is_permanent) == (False, is_permanent)
    if reply != "HANG UP":
        assert outcome.status == int(reply[:3])
        assert reply[4:] in outcome.detail


def test_a_mail_that_some_recipients_are_refused_for_is_sent_and_says_so(posts: MailServer) -> None:
    posts.replies["RCPT TO:<gone@example.org>"] = "550 nobody of that name"
    outcome = make_channel(email(posts.port, to=("ops@example.org", "gone@example.org"))).send(rollback())
    assert outcome.is_sent
    assert outcome.detail == "accepted for 1 of 2, refused: gone@example.org: 550 nobody of that name"
    assert posts.recipients == [["ops@example.org"]]


def test_one_recipient_who_may_be_reached_later_makes_a_refusal_of_all_temporary(posts: MailServer) -> None:
    posts.replies |= {"RCPT TO:<gone@": "550 nobody", "RCPT TO:<ops@": "450 greylisted"}
    outcome = make_channel(email(posts.port, to=("gone@example.org", "ops@example.org"))).send(rollback())
    assert (outcome.is_sent, outcome.is_permanent) == (False, False)


@pytest.mark.parametrize("reply", ["HANG UP", "500 what"])
def test_a_mail_that_was_accepted_stays_sent_whatever_comes_after(posts: MailServer, reply: str) -> None:
    posts.replies["QUIT"] = reply
    sends(email(posts.port), rollback())
    assert len(posts.raw) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_mail_goes_over_tls_with_a_login(certificate: Path, monkeypatch: pytest.MonkeyPatch, tls: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server(wrapped=tls == "tls", certificate=certificate) as server:
        server.offers = ("STARTTLS", "AUTH PLAIN")
        sends(email(server.port, tls=tls, user="tagtrail"), rollback())
    assert server.logins == [("tagtrail", PASSWORD)]
    assert len(server.raw) == 1
    assert ("STARTTLS" in server.commands) == (tls == "starttls")


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_server_with_an_untrusted_certificate_gets_no_password(certificate: Path, tls: str) -> None:
    with mail_server(wrapped=tls == "tls", certificate=certificate) as server:
        server.offers = ("STARTTLS", "AUTH PLAIN")
        outcome = make_channel(email(server.port, tls=tls, user="tagtrail")).send(rollback())
    assert (outcome.is_sent, outcome.is_permanent) == (False, False)
    assert "certificate is not accepted" in outcome.detail
    assert server.logins == []


def test_a_server_without_starttls_gets_no_mail(posts: MailServer) -> None:
    outcome = make_channel(email(posts.port, tls="starttls")).send(rollback())
    assert (outcome.is_sent, outcome.is_permanent, posts.raw) == (False, False, [])
    assert "STARTTLS" in outcome.detail


def test_no_password_is_shown_or_logged(posts: MailServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    posts.offers = ("AUTH PLAIN",)
    posts.replies["AUTH"] = f"535 no {PASSWORD}"
    channel = make_channel(email(posts.port, user="tagtrail"))
    outcome = channel.send(rollback())
    assert (outcome.is_permanent, outcome.detail) == (True, "no [hidden]")
    for shown in (repr(channel), channel.preview(rollback()), repr(outcome), caplog.text):
        assert PASSWORD not in shown


def test_a_password_that_smtp_cannot_carry_is_refused_unseen() -> None:
    config = email(user="tagtrail", password="pässword")
    with pytest.raises(ConfigurationError, match="beyond ASCII") as refused:
        make_channel(config)
    assert "pässword" not in str(refused.value)


@pytest.mark.parametrize(("read", "total"), [(0.1, 9), (9, 0.1)])
def test_a_server_that_says_nothing_is_not_waited_for(
    posts: MailServer, monkeypatch: pytest.MonkeyPatch, read: float, total: float
) -> None:
    monkeypatch.setattr("tagtrail.notify.channels.email.READ_TIMEOUT", read)
    monkeypatch.setattr("tagtrail.notify.channels.email.TOTAL_TIMEOUT", total)
    posts.replies["GREETING"] = "SAY NOTHING"
    outcome = make_channel(email(posts.port)).send(rollback())
    assert (outcome.is_sent, outcome.is_permanent, outcome.detail) == (False, False, "no answer within 0.1 s")


def test_a_refused_connection_is_a_temporary_failure() -> None:
    outcome = make_channel(email(1)).send(rollback())
    assert (outcome.is_sent, outcome.is_permanent, outcome.detail) == (False, False, "Connection refused")


# --- console


def test_the_console_is_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    for message in TYPICAL:
        sends(channel_config("console"), message())
    lines = capsys.readouterr().out.splitlines()
    begins = [line for line in lines if not line.startswith("    ")]
    assert begins == [
        f"2026-04-20T14:03:00Z warning {rollback().title}",
        "2026-04-20T15:00:00Z alarm   Release tag moved: team/app:1.0.0",
        "2026-04-20T14:03:00Z alarm   Registry main is silent",
    ]
    assert f"      {REFERENCE}" in lines


@pytest.mark.parametrize("text", NASTY)
def test_no_text_can_forge_a_message_or_a_colour_on_the_console(capsys: pytest.CaptureFixture[str], text: str) -> None:
    sends(channel_config("console"), nasty(text))
    out = capsys.readouterr().out
    assert not UNSEEN.search(out)
    assert len([line for line in out.splitlines() if not line.startswith("    ")]) == 1


def test_a_message_is_written_to_the_console_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(io.StringIO):
        written: list[str] = []  # noqa: RUF012

        def write(self, text: str) -> int:
            self.written.append(text)
            return len(text)

    monkeypatch.setattr(sys, "stdout", Counting())
    sends(channel_config("console"), rollback())
    assert len(Counting.written) == 1


def test_the_console_shows_what_its_encoding_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    octets = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(octets, encoding="ascii"))
    sends(channel_config("console"), replace(rollback(), sentences=("Größe 🟢",)))
    assert b"Gr\\xf6\\xdfe \\U0001f7e2" in octets.getvalue()


def test_a_console_without_a_reader_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with pytest.MonkeyPatch.context() as patch:
        out = os.fdopen(write, "w", buffering=1)
        patch.setattr(sys, "stdout", out)
        outcome = make_channel(channel_config("console")).send(rollback())
    os.dup2(os.open(os.devnull, os.O_WRONLY), write)  # so that closing has nothing to complain of
    out.close()
    assert (outcome.is_sent, outcome.is_permanent) == (False, False)
    assert "standard output cannot be written" in outcome.detail


# --- Apprise

IS_MISSING = importlib.util.find_spec("apprise") is None
needs_apprise = pytest.mark.skipif(IS_MISSING and not os.environ.get("CI"), reason="apprise is not installed")


def apprise(room: ChatRoom, query: str = "", scheme: str = "json") -> Any:
    url = f"{room.url.replace('http', scheme, 1)}/{TOPIC}?+X-Key={TOKEN}{query}"
    return channel_config("apprise", secrets={"url": url})


@needs_apprise
@pytest.mark.parametrize(("message", "kind"), [(rollback, "warning"), (violation, "failure"), (alert, "failure")])
def test_apprise_is_given_plain_text(chat_room: ChatRoom, message: Callable[[], Message], kind: str) -> None:
    sends(apprise(chat_room), message())
    [request] = chat_room.requests
    assert (request.path, request.headers["X-Key"]) == (f"/{TOPIC}", TOKEN)
    assert (request.json["title"], request.json["type"]) == (message().title, kind)
    assert message().sentences[0] in request.json["message"]


@needs_apprise
@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_nothing_from_outside_is_alive_in_what_apprise_sends(chat_room: ChatRoom, text: str, form: str) -> None:
    sends(apprise(chat_room, f"&format={form}&emojis=yes"), nasty(text))
    shown = chat_room.requests[0].json
    for part in (shown["title"], shown["message"]):
        assert not UNSEEN.search(part)
        assert not re.search(r"(^|\s)@\w|https?://(?!tagtrail)", part.partition("Pinned")[0])
    assert not re.search(r"\*bold|<b>", shown["title"])
    if form == "markdown":
        assert "**bold" not in shown["message"]
    elif form == "html":
        assert not re.search(r"<(b|script)>", shown["message"])


@needs_apprise
def test_apprise_follows_no_redirect_and_does_not_repeat_by_itself(chat_room: ChatRoom) -> None:
    chat_room.otherwise = Reply(302, headers={"Location": f"{chat_room.url}/elsewhere"})
    outcome = make_channel(apprise(chat_room, "&redirect=yes&retry=3&wait=0.1")).send(rollback())
    assert (outcome.is_sent, outcome.is_permanent) == (False, False)
    assert [request.path for request in chat_room.requests] == [f"/{TOPIC}"]


@needs_apprise
def test_apprise_does_not_wait_as_long_as_its_url_says(chat_room: ChatRoom) -> None:
    service = make_channel(apprise(chat_room, "&rto=900&cto=900"))._sender[0]  # type: ignore[attr-defined]
    assert service.request_timeout == (5.0, 10.0)


@needs_apprise
def test_no_secret_of_apprise_is_shown_or_logged(chat_room: ChatRoom, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    chat_room.otherwise = Reply(500, f"{TOKEN} {TOPIC}".encode())
    channel = make_channel(apprise(chat_room))
    outcome = channel.send(rollback())
    assert not outcome.is_sent
    for shown in (repr(channel), channel.preview(rollback()), repr(outcome), caplog.text):
        assert not [secret for secret in SECRETS if secret in shown]


@needs_apprise
def test_a_url_that_apprise_does_not_know_is_refused_unseen() -> None:
    with pytest.raises(ConfigurationError, match="not one that Apprise can use") as refused:
        make_channel(channel_config("apprise", secrets={"url": f"nosuch://{TOKEN}"}))
    assert TOKEN not in str(refused.value)


def test_without_apprise_the_start_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'tagtrail\[apprise\]'"):
        make_channel(channel_config("apprise", secrets={"url": f"json://{TOKEN}"}))


@pytest.mark.parametrize("config", [ntfy, gotify])
@pytest.mark.parametrize("message", TYPICAL)
def test_a_preview_is_the_body_without_what_is_secret(
    chat_room: ChatRoom, config: Callable[..., ChannelConfig], message: Callable[[], Message]
) -> None:
    channel = make_channel(config(chat_room))
    channel.send(message())
    sent = chat_room.requests[0].json
    sent.pop("topic", None)
    assert json.loads(channel.preview(message())) == sent
