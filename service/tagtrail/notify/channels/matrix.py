"""Matrix: an event in a room, by the client-server API (spec.matrix.org/latest/client-server-api/#mroommessage)."""

from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import quote

from tagtrail.config.channels import MatrixConfig
from tagtrail.notify.formatting import HTML, SIGNS, bare_html, fit, footer, inert, plain, words_html
from tagtrail.notify.http import Channel, ChannelResponse, Post, SendOutcome, interpret
from tagtrail.notify.json_webhook import JSON_HEADERS, OPEN, Json, JsonWebhook, as_bytes, read_object, seconds
from tagtrail.notify.message import Fact, Message

_LARGEST: Final = 60_000  # bytes; a whole event with what the server adds is at most 65,536 (#size-limits)


def make(config: MatrixConfig) -> Channel:
    """The channel in `room` (its id, beginning with `!`) on `homeserver`, as the user of the secret `token`.

    A 403 means that this user is not in the room, a 401 that the token is no longer valid: both are permanent.
    """
    return JsonWebhook(config, HTML, build, partial(_request, config), _interpret)


def build(message: Message, text: str | None) -> Json:
    """The event's content: `m.text`, since clients do not notify for an `m.notice`, with empty `m.mentions`."""
    return fit(message, lambda part: _content(part, text), lambda form: len(as_bytes(form)) <= _LARGEST)


def _content(message: Message, text: str | None) -> Json:
    return {
        "msgtype": "m.text",
        "body": SIGNS[message.tone] + plain(_inert(message)),
        "format": "org.matrix.custom.html",
        "formatted_body": _html(message, text),
        "m.mentions": {},
    }


def _inert(message: Message) -> Message:
    """The message with inert text, for clients that show the plain text and make links from it."""
    return replace(
        message,
        title=inert(message.title),
        sentences=tuple(map(inert, message.sentences)),
        facts=tuple(replace(fact, label=inert(fact.label), value=inert(fact.value)) for fact in message.facts),
    )


def _html(message: Message, text: str | None) -> str:
    """HTML with tags of #mroommessage-msgtypes only. Facts are a list, since small screens do not show tables well."""
    sentences = "<br>".join(map(words_html, message.sentences)) if text is None else text.replace("\n", "<br>")
    facts = "".join(f"<li>{words_html(fact.label)}: {_value(fact)}</li>" for fact in message.facts)
    link = f'<p><a href="{bare_html(message.link)}">{OPEN}</a></p>' if message.link else ""
    return (
        f"<p><strong>{SIGNS[message.tone]}{words_html(message.title)}</strong></p><p>{sentences}</p>"
        + (f"<ul>{facts}</ul>" if facts else "")
        + "".join(f"<p>{words_html(fact.label)}:</p>{_copied(fact)}" for fact in message.copy)
        + f"{link}<p><em>{footer(message)}</em></p>"
    )


def _value(fact: Fact) -> str:
    return HTML.code(fact.value) if fact.is_code else f"<strong>{words_html(fact.value)}</strong>"


def _copied(fact: Fact) -> str:
    return f"<pre><code>{bare_html(fact.value)}</code></pre>"


def _request(config: MatrixConfig, body: bytes, identity: str) -> Post:
    """The delivery's id as transaction id: the server makes one event of repeated requests with the same id."""
    server = config.homeserver
    room, transaction = quote(config.room, safe=""), quote(identity, safe="")
    return Post(
        f"{server}/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction}",
        body,
        {**JSON_HEADERS, "Authorization": f"Bearer {config.token.reveal()}"},
        method="PUT",
    )


def _interpret(response: ChannelResponse) -> SendOutcome:
    """Read `retry_after_ms` from a 429's body: servers before v1.10 of the specification send no header."""
    outcome = interpret(response)
    wait = seconds(read_object(response.text).get("retry_after_ms"))
    if response.status != 429 or outcome.retry_after is not None or wait is None:
        return outcome
    return replace(outcome, retry_after=wait / 1_000)
