"""Posting to a server that answers well, badly, slowly, or not at all."""

import gzip
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tagtrail.notify import http as sending
from tagtrail.notify.http import Post, post, read_retry_after
from tests.chat import ChatRoom, Reply

SECRET = "T0PS3CRETx9"


def to(room: ChatRoom, path: str = f"/hooks/{SECRET}", **headers: str) -> Post:
    return Post(f"{room.url}{path}", b'{"text":"prod moved"}', {"Content-Type": "application/json", **headers})


def test_the_body_and_the_headers_arrive_as_they_are(chat_room: ChatRoom) -> None:
    outcome = post(to(chat_room, Authorization="Bearer x"))
    (request,) = chat_room.requests
    assert outcome.is_sent
    assert outcome.status == 200
    assert (request.method, request.path) == ("POST", f"/hooks/{SECRET}")
    assert request.body == b'{"text":"prod moved"}'
    assert request.headers["Authorization"] == "Bearer x"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("tagtrail/")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 415, 422])
def test_what_another_try_would_not_change_is_permanent(chat_room: ChatRoom, status: int) -> None:
    chat_room.will(Reply(status, b"invalid_payload"))
    outcome = post(to(chat_room))
    assert (outcome.is_sent, outcome.is_permanent, outcome.status) == (False, True, status)
    assert outcome.detail == "invalid_payload"


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_not_permanent(chat_room: ChatRoom, status: int) -> None:
    chat_room.will(Reply(status))
    outcome = post(to(chat_room))
    assert (outcome.is_sent, outcome.is_permanent) == (False, False)


def test_a_retry_after_is_seconds_or_a_date(chat_room: ChatRoom) -> None:
    chat_room.will(Reply(429, headers={"Retry-After": "7"}))
    assert post(to(chat_room)).retry_after == 7
    at = 784_111_777.0  # RFC 9110, section 5.6.7, has this date
    assert read_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now=lambda: at) == 10
    assert read_retry_after("Sun, 06 Nov 1994 08:49:30 GMT", now=lambda: at) == 0
    assert read_retry_after("2.5") == 2.5


HUGE = (f"Sun, 06 Nov {'9' * 30} 08:49:37 GMT", f"Sun, 06 Nov 1994 08:49:37 +{'9' * 30}")


@pytest.mark.parametrize("value", HUGE)
def test_a_retry_after_without_sense_makes_nothing_of_what_was_sent_unsent(chat_room: ChatRoom, value: str) -> None:
    chat_room.will(Reply(200, headers={"Retry-After": value}))
    assert post(to(chat_room)).is_sent


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "9" * 400, "1e9", "Sun, 99 Nov 1994", "٣", *HUGE])
def test_a_retry_after_without_sense_is_none(value: str | None) -> None:
    assert read_retry_after(value) is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_is_permanent(chat_room: ChatRoom, status: int) -> None:
    chat_room.will(Reply(status, headers={"Location": f"{chat_room.url}/elsewhere"}))
    outcome = post(to(chat_room))
    assert (outcome.is_sent, outcome.is_permanent) == (False, True)
    assert outcome.detail == "a redirect, which is not followed"
    assert len(chat_room.requests) == 1


def test_of_a_redirect_no_more_is_read_than_of_any_answer(chat_room: ChatRoom) -> None:
    chat_room.will(Reply(302, b"y" * 60_000, {"Location": f"{chat_room.url}/elsewhere"}, "drip body"))
    outcome = post(to(chat_room), total=1)
    assert (outcome.status, outcome.detail) == (302, "a redirect, which is not followed")


@pytest.mark.parametrize("location", ["http://[", "http://x:y", "\xff\xfe", "gopher://x"])
def test_a_redirect_to_nowhere_is_a_redirect(chat_room: ChatRoom, location: str) -> None:
    chat_room.will(Reply(302, headers={"Location": location}))
    assert post(to(chat_room)).detail == "a redirect, which is not followed"


def test_a_server_that_hangs_is_waited_for_as_long_as_the_timeout_says(
    chat_room: ChatRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "READ_TIMEOUT", 0.2)
    chat_room.will(Reply(mode="hang"))
    outcome = post(to(chat_room))
    assert (outcome.is_sent, outcome.is_permanent) == (False, False)
    assert outcome.detail == "no answer in time"


def test_a_connection_closed_after_reading_is_no_answer_and_is_not_tried_again_here(chat_room: ChatRoom) -> None:
    chat_room.will(Reply(mode="close"))
    outcome = post(to(chat_room))
    assert (outcome.is_sent, outcome.is_permanent) == (False, False)
    assert outcome.detail == "the connection was closed without an answer"
    assert len(chat_room.requests) == 1


def test_a_server_that_drips_its_head_is_left_at_the_deadline(chat_room: ChatRoom) -> None:
    chat_room.will(Reply(mode="drip"))
    began = time.monotonic()
    outcome = post(to(chat_room), total=0.2)
    assert time.monotonic() - began < 20  # dripped to its end the head takes twenty minutes
    assert (outcome.is_sent, outcome.is_permanent) == (False, False)
    assert outcome.detail == "no answer within 0.2 s"


def test_a_server_that_drips_its_body_has_answered_by_its_status(chat_room: ChatRoom) -> None:
    chat_room.will(Reply(200, b"y" * 60_000, mode="drip body"), Reply(500, b"y" * 60_000, mode="drip body"))
    began = time.monotonic()
    assert post(to(chat_room), total=1).is_sent
    assert post(to(chat_room), total=1).status == 500
    assert time.monotonic() - began < 20


def test_a_tls_handshake_that_never_ends_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        outcome = post(Post(f"https://127.0.0.1:{silent.getsockname()[1]}/{SECRET}", b""), total=0.3)
    assert time.monotonic() - began < sending.CONNECT_TIMEOUT - 1
    assert not outcome.is_sent
    assert outcome.detail == "no answer within 0.3 s"


def test_no_more_of_an_answer_is_read_than_is_needed(chat_room: ChatRoom) -> None:
    chat_room.will(Reply(500, b"a" * 50_000_000))
    assert len(post(to(chat_room)).detail) == 300
    bomb = gzip.compress(bytes(50_000_000))
    chat_room.will(Reply(500, bomb, {"Content-Encoding": "gzip"}))
    assert len(post(to(chat_room)).detail) <= 300


def test_an_answer_is_one_printable_line_in_the_detail(chat_room: ChatRoom) -> None:
    chat_room.will(Reply(500, b"\x1b[31mno\r\n\xff\xe2\x80\xae"))
    assert post(to(chat_room)).detail == "\\x1b[31mno\\x0d\\x0a\ufffd\\u202e"


def test_what_is_answered_to_a_sent_message_is_not_kept(chat_room: ChatRoom) -> None:
    chat_room.will(Reply(200, b'{"content": "moved by alice"}'))
    assert post(to(chat_room)).detail == ""


def test_a_server_that_echoes_the_request_reveals_nothing(chat_room: ChatRoom) -> None:
    request = to(
        chat_room,
        f"/services/T000000/{SECRET}%2Bb?key=k3y-{SECRET}&token=t0ken-{SECRET}",
        Authorization=f"Bearer {SECRET}",
    )
    echo = f"404 {request.url} {request.url.replace('%2B', '+')} {SECRET}+b k3y-{SECRET} {SECRET} Bearer {SECRET}"
    chat_room.will(Reply(404, echo.encode()))
    outcome = post(request)
    assert SECRET not in repr(outcome)
    assert "[hidden]" in outcome.detail
    assert SECRET not in repr(request)


def test_no_failure_names_the_url() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    details = {
        post(Post(url, b"")).detail
        for url in (
            f"http://127.0.0.1:{port}/{SECRET}",
            f"http://name.invalid/{SECRET}",
            f"nonsense://{SECRET}",
            SECRET,
        )
    }
    assert details == {"Connection refused", "its host name cannot be resolved", "its URL or its token cannot be used"}


def test_a_url_that_cannot_be_used_is_permanent() -> None:
    for url in ("", "no-scheme", "http://", "gopher://x/", "http://[::1", "http://a b/"):
        outcome = post(Post(url, b""))
        assert (outcome.is_sent, outcome.is_permanent) == (False, True), url


def test_no_log_holds_the_secret_at_any_level(chat_room: ChatRoom, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        post(to(chat_room, Authorization=f"Bearer {SECRET}"))
        chat_room.will(Reply(500), Reply(200, headers={"No header": "", "\r\nwithout a name": ""}))
        post(to(chat_room))
        post(to(chat_room))
        post(Post(f"http://127.0.0.1:9/{SECRET}", b""))
    assert SECRET not in caplog.text


def test_an_entry_of_netrc_does_not_replace_the_channels_own_header(
    chat_room: ChatRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login alice password wonderland\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    post(to(chat_room, Authorization="Bearer mine"))
    assert chat_room.requests[0].headers["Authorization"] == "Bearer mine"


def test_a_user_in_the_url_is_used_and_hidden(chat_room: ChatRoom) -> None:
    chat_room.will(Reply(403, f"no, ops:{SECRET}".encode()))
    url = chat_room.url.replace("http://", f"http://ops:{SECRET}@")
    assert SECRET not in post(Post(f"{url}/x", b"")).detail
    assert chat_room.requests[0].headers["Authorization"].startswith("Basic ")


def test_the_environments_proxy_is_used_and_has_the_same_deadline(
    chat_room: ChatRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", chat_room.url)
    assert post(Post("http://chat.invalid/hook", b"hello")).is_sent
    assert chat_room.requests[0].path == "http://chat.invalid/hook"
    chat_room.will(Reply(mode="drip"))
    assert post(Post("http://chat.invalid/hook", b"hello"), total=0.2).detail == "no answer within 0.2 s"


@pytest.fixture
def tls_room(tmp_path: Path) -> Iterator[ChatRoom]:
    """A chat server behind TLS, whose certificate is in `certificate.pem` and trusted by nobody."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chat")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, today - timedelta(days=1), today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    room = ChatRoom(context)
    yield room
    room.close()


def test_tls_is_spoken_with_who_is_trusted_and_has_the_same_deadline(
    tls_room: ChatRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
    assert post(to(tls_room)).is_sent
    tls_room.will(Reply(mode="drip"), Reply(200, b"y" * 60_000, mode="drip body"))
    began = time.monotonic()
    assert post(to(tls_room), total=0.2).detail == "no answer within 0.2 s"
    assert post(to(tls_room), total=1).is_sent
    assert time.monotonic() - began < 20


def test_nothing_is_sent_to_a_server_whose_certificate_is_not_trusted(tls_room: ChatRoom) -> None:
    outcome = post(to(tls_room))
    assert (outcome.is_sent, outcome.is_permanent) == (False, False)
    assert outcome.detail == "its certificate is not trusted"
    assert tls_room.requests == []
