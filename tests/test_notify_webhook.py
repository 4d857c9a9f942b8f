"""The webhook: events of CloudEvents, signatures of Standard Webhooks, and the docs' snippets that verify them."""

import json
import logging
import os
import re
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from tagtrail.config.load import load
from tagtrail.notify.channels import make_channel
from tagtrail.notify.channels.webhook import TYPES, make, sign
from tagtrail.notify.http import Channel
from tagtrail.notify.message import Message, MessageKind
from tests.chat import ChatRoom, Reply
from tests.conftest import Clock
from tests.real import need
from tests.typical_messages import NASTY, TYPICAL, alert, channel_config, nasty, rollback

ROOT = Path(__file__).parent.parent
DOC = (ROOT / "docs" / "webhooks.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)

SECRET, NEXT = (f"whsec_{b64encode(bytes(range(start, start + 32))).decode()}" for start in (0, 100))
PATH = "/hooks/a-path-not-to-be-shown"

# cloudevents/formats/json-format.md of the specification, version 1.0.2, with the attributes that ours have.
CLOUD_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "additionalProperties": False,
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "format": "uri-reference", "minLength": 1},
        "type": {"type": "string", "pattern": "^[a-z.]+$"},
        "subject": {"type": "string", "minLength": 1},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object"},
    },
}
# A string of CloudEvents has no control characters, no half pairs and no noncharacters (section "Type System").
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def blocks(language: str) -> list[str]:
    return [body for found, body in BLOCKS if found == language]


EXAMPLE, SCHEMA = map(json.loads, blocks("json"))


def webhook(room: ChatRoom, secret: str = SECRET, clock: Callable[[], int] | None = None, **more: Any) -> Channel:
    config = channel_config("webhook", secrets={"url": f"{room.url}{PATH}", "secret": secret}, **more)
    return make_channel(config) if clock is None else make(config, clock=clock)


def posted(room: ChatRoom, message: Message, **more: Any) -> tuple[dict[str, str], bytes]:
    """The headers, with names in lower case, and the body of a request that was really posted."""
    assert webhook(room, **more).send(message).is_sent
    request = room.requests[-1]
    return {name.lower(): value for name, value in request.headers.items()}, request.body


# --- the event


@pytest.mark.parametrize("message", TYPICAL)
def test_an_event_is_what_cloudevents_and_the_docs_say(chat_room: ChatRoom, message: Callable[[], Message]) -> None:
    headers, body = posted(chat_room, message())
    event = json.loads(body)
    jsonschema.validate(event, CLOUD_EVENT, format_checker=jsonschema.FormatChecker())
    jsonschema.validate(event["data"], SCHEMA)
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert event["id"] == headers["webhook-id"] == message().id


def test_the_documented_example_is_what_is_posted(chat_room: ChatRoom) -> None:
    assert json.loads(posted(chat_room, rollback())[1]) == EXAMPLE


def test_every_property_of_an_event_is_documented(chat_room: ChatRoom) -> None:
    strict = SCHEMA | {"additionalProperties": False}
    jsonschema.validate(json.loads(posted(chat_room, rollback())[1])["data"], strict)


def test_every_kind_has_a_type_and_every_type_is_documented() -> None:
    assert TYPES.keys() == set(get_args(MessageKind))
    assert re.findall(r"^\| `(dev\.[a-z.]+)`", DOC, re.MULTILINE) == list(TYPES.values())


def test_an_event_of_the_service_itself_has_no_subject(chat_room: ChatRoom) -> None:
    event = json.loads(posted(chat_room, alert())[1])
    assert "subject" not in event
    assert event["source"] == "/tagtrail"


def test_of_several_tags_the_subject_names_the_first(chat_room: ChatRoom) -> None:
    message = replace(rollback(), reference=None, tags=("1.0.0", "prod"))
    assert json.loads(posted(chat_room, message)[1])["subject"] == "team/app:1.0.0"


@pytest.mark.parametrize("text", NASTY)
def test_no_value_from_outside_breaks_an_event_or_its_headers(chat_room: ChatRoom, text: str) -> None:
    usual, _ = posted(chat_room, rollback())
    headers, body = posted(chat_room, nasty(text))
    event = json.loads(body.decode())
    jsonschema.validate(event, CLOUD_EVENT, format_checker=jsonschema.FormatChecker())
    jsonschema.validate(event["data"], SCHEMA)
    assert headers.keys() == usual.keys()
    assert not FORBIDDEN.search(json.dumps(event, ensure_ascii=False))
    assert len(body) < 20_000  # as the specification advises


def test_the_documented_configuration_makes_the_channel(chat_room: ChatRoom, tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(blocks("yaml")[0])
    config = load(path, environ={"WEBHOOK_URL": f"{chat_room.url}{PATH}", "WEBHOOK_SECRET": SECRET})
    [channel] = config.notify.channels
    assert make_channel(channel).send(rollback()).is_sent
    assert [request.path for request in chat_room.requests] == [PATH]


# --- the signature


def test_a_signature_is_what_the_specifications_own_libraries_test_for() -> None:
    key = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    instant = 1_614_265_330 * 10**9 + 999_999_999
    assert sign([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", instant, b'{"test": 2432232314}') == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_id_is_the_same_on_every_try_and_the_timestamp_is_the_trys(chat_room: ChatRoom, clock: Clock) -> None:
    first, body = posted(chat_room, rollback(), clock=clock)
    clock.pass_seconds(90)
    again, same = posted(chat_room, rollback(), clock=clock)
    assert first["webhook-id"] == again["webhook-id"]
    assert int(again["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 90
    assert first["webhook-signature"] != again["webhook-signature"]
    assert body == same


def test_with_two_secrets_there_are_two_signatures(chat_room: ChatRoom) -> None:
    headers, body = posted(chat_room, rollback(), secret=f"{NEXT} {SECRET}")
    assert len(headers["webhook-signature"].split()) == 2
    assert verify_in_python(SECRET, headers, body)
    assert verify_in_python(NEXT, headers, body)


def test_an_own_body_is_signed_and_no_event(chat_room: ChatRoom, tmp_path: Path) -> None:
    template = tmp_path / "ops.json.j2"
    template.write_text('{"text": "{{ title }}"}')
    headers, body = posted(chat_room, rollback(), body=template)
    assert json.loads(body) == {"text": rollback().title}
    assert headers["content-type"].startswith("application/json")
    assert verify_in_python(SECRET, headers, body)


def test_a_template_writes_the_sentences(chat_room: ChatRoom, tmp_path: Path) -> None:
    template = tmp_path / "ops.j2"
    template.write_text("{{ title }}\nBy {{ actor }}.")
    event = json.loads(posted(chat_room, rollback(), template=template)[1])
    assert event["data"]["sentences"] == [rollback().title, "By dora."]


@pytest.mark.parametrize("status", [200, 400, 500])
def test_no_secret_is_shown_or_logged(chat_room: ChatRoom, caplog: pytest.LogCaptureFixture, status: int) -> None:
    caplog.set_level(logging.DEBUG)
    chat_room.otherwise = Reply(status, f"{PATH} {SECRET}".encode())
    channel = webhook(chat_room)
    outcome = channel.send(rollback())
    shown = (repr(channel), repr(outcome), channel.preview(rollback()), caplog.text)
    assert not [text for text in shown for secret in (PATH, SECRET) if secret in text]


def test_a_receiver_that_redirects_is_not_followed(chat_room: ChatRoom) -> None:
    chat_room.otherwise = Reply(307, headers={"Location": f"{chat_room.url}/elsewhere"})
    assert webhook(chat_room).send(rollback()).is_permanent
    assert len(chat_room.requests) == 1


# --- the docs' snippets, each against a request that was really posted

Verify = Callable[[str, Mapping[str, str], bytes], bool]


def verify_in_python(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    [snippet] = blocks("python")
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102
    return bool(names["verify"](secret, headers, body))


def verify_in_shell(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    need("openssl")
    [snippet] = blocks("sh")
    given = [headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")]
    command = ["sh", "-c", snippet, "verify.sh", *given]
    done = subprocess.run(
        command, input=body, env=os.environ | {"WEBHOOK_SECRET": secret}, check=False, timeout=30, capture_output=True
    )
    assert (done.returncode in (0, 1), done.stderr) == (True, b"")
    return done.returncode == 0


_MAIN = """\
package main

import (
	"io"
	"net/http"
	"os"
)

func main() {
	header := http.Header{}
	for i, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		header.Set(name, os.Args[2+i])
	}
	body, _ := io.ReadAll(os.Stdin)
	if !verify(os.Args[1], header, body) {
		os.Exit(1)
	}
}
"""


@pytest.fixture(scope="module")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The docs' Go, with a `main` around it, compiled without a network."""
    go = need("go")
    directory = tmp_path_factory.mktemp("verify")
    (directory / "verify.go").write_text(blocks("go")[0])
    (directory / "main.go").write_text(_MAIN)
    settings = {"GO111MODULE": "off", "GOCACHE": str(directory / "cache"), "GOFLAGS": "", "GOPATH": str(directory)}
    command = [go, "build", "-o", "verify", "verify.go", "main.go"]
    subprocess.run(command, cwd=directory, env=os.environ | settings, check=True, timeout=300)
    return directory / "verify"


@pytest.fixture(params=["python", "go", "sh"])
def verify(request: pytest.FixtureRequest) -> Verify:
    """A snippet of the docs."""
    if request.param == "python":
        return verify_in_python
    if request.param == "sh":
        return verify_in_shell
    program: Path = request.getfixturevalue("go_program")

    def verify_in_go(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        given = [headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")]
        done = subprocess.run([program, secret, *given], input=body, check=False, timeout=30)
        assert done.returncode in (0, 1)
        return done.returncode == 0

    return verify_in_go


def test_a_snippet_accepts_what_was_posted(chat_room: ChatRoom, verify: Verify) -> None:
    headers, body = posted(chat_room, nasty("half \ud83d a pair, Größe 🟢, \x00 and `$(false)`"))
    assert verify(SECRET, headers, body)


def test_a_snippet_accepts_either_secret_during_a_rotation(chat_room: ChatRoom, verify: Verify) -> None:
    headers, body = posted(chat_room, rollback(), secret=f"{NEXT} {SECRET}")
    assert verify(SECRET, headers, body)
    assert verify(NEXT, headers, body)


def test_a_snippet_refuses_what_was_changed(chat_room: ChatRoom, verify: Verify) -> None:
    headers, body = posted(chat_room, rollback())
    assert not verify(SECRET, headers, body + b" ")
    assert not verify(SECRET, headers, body.replace(b"1.0.0", b"1.1.0"))
    assert not verify(NEXT, headers, body)
    assert not verify(SECRET, {**headers, "webhook-id": "msg_another"}, body)
    assert not verify(SECRET, {**headers, "webhook-signature": ""}, body)
    assert not verify(SECRET, {**headers, "webhook-timestamp": "now"}, body)


@pytest.mark.parametrize("seconds", [-400, 400])
def test_a_snippet_refuses_what_was_signed_at_another_time(chat_room: ChatRoom, verify: Verify, seconds: int) -> None:
    headers, body = posted(chat_room, rollback(), clock=lambda: time.time_ns() + seconds * 10**9)
    assert not verify(SECRET, headers, body)
