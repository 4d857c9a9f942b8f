"""Discord: an embed posted to a webhook (discord.com/developers/docs/resources/webhook, "Execute Webhook")."""

import re
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from tagtrail.config.channels import DiscordConfig
from tagtrail.notify.formatting import (
    COLOURS,
    Markup,
    basis,
    fit,
    in_backticks,
    in_fences,
    inert,
    not_a_block,
    units,
    within,
)
from tagtrail.notify.http import Channel, ChannelResponse, Post, SendOutcome, interpret
from tagtrail.notify.json_webhook import JSON_HEADERS, Json, JsonWebhook, read_object, seconds
from tagtrail.notify.message import Fact, Message
from tagtrail.trail.instant import format_instant

# Characters, by discord.com/developers/docs/resources/message, "Embed Limits".
_LONGEST_TITLE: Final = 256
_LONGEST_DESCRIPTION: Final = 4_096
_LONGEST_NAME: Final = 256
_LONGEST_VALUE: Final = 1_024
_MOST_FIELDS: Final = 25
_MOST: Final = 6_000  # of all of them together

_FORMATS: Final = re.compile(r"[\\*_~`|\[\]<>]")


def make(config: DiscordConfig) -> Channel:
    """The channel at the secret `url`. A 404 means that the webhook was deleted, which is permanent."""
    return JsonWebhook(config, MARKUP, build, partial(_request, config), _interpret)


def _words(text: str) -> str:
    """Discord hides a backslash before any punctuation."""
    return not_a_block(_FORMATS.sub(r"\\\g<0>", inert(text)))


MARKUP: Final = Markup(_words, code=in_backticks)


def build(message: Message, text: str | None) -> Json:
    """The payload. `allowed_mentions` is empty, so nothing in the text can mention anyone."""
    embed = fit(message, lambda part: _embed(part, text), _fits)
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _embed(message: Message, text: str | None) -> dict[str, Any]:
    embed = {
        "title": within(message.title, _LONGEST_TITLE, _words),
        "description": _description(message, text),
        "color": COLOURS[message.tone],
        "timestamp": format_instant(message.occurred_at, 3),
        "footer": {"text": basis(message) or "tagtrail"},  # Discord shows the time beside it, in the reader's zone
        "fields": [_field(fact) for fact in message.facts],
    }
    return embed if message.link is None else embed | {"url": message.link}


def _description(message: Message, text: str | None) -> str:
    sentences = "\n".join(map(_words, message.sentences)) if text is None else text
    copies = (f"**{_words(fact.label)}**\n{in_fences(fact.value)}" for fact in message.copy)
    return "\n".join(filter(None, (sentences, *copies)))


def _field(fact: Fact) -> Json:
    """A field, which must not be empty. `inline` lets short fields share a row."""
    write = MARKUP.code if fact.is_code else _words
    return {
        "name": within(fact.label, _LONGEST_NAME, _words) or "–",
        "value": within(fact.value, _LONGEST_VALUE, write) or "–",
        "inline": True,
    }


def _fits(embed: dict[str, Any]) -> bool:
    texts = [embed["title"], embed["description"], embed["footer"]["text"]]
    texts += [text for field in embed["fields"] for text in (field["name"], field["value"])]
    return (
        len(embed["fields"]) <= _MOST_FIELDS
        and units(embed["description"]) <= _LONGEST_DESCRIPTION
        and sum(map(units, texts)) <= _MOST
    )


def _request(config: DiscordConfig, body: bytes, _: str) -> Post:
    """With `wait` Discord responds after it has stored the message, not before."""
    url = urlsplit(config.url.reveal())
    query = urlencode([*parse_qsl(url.query, keep_blank_values=True), ("wait", "true")])
    return Post(url._replace(query=query).geturl(), body, JSON_HEADERS)


def _interpret(response: ChannelResponse) -> SendOutcome:
    """Read `retry_after` from a 429's body, which is more exact than the header (.../docs/topics/rate-limits)."""
    outcome = interpret(response)
    if response.status != 429:
        return outcome
    wait = seconds(read_object(response.text).get("retry_after"))
    return replace(outcome, retry_after=wait if wait is not None else outcome.retry_after)
