"""Webhook: a CloudEvents 1.0 event in JSON, signed by Standard Webhooks 1.0.0; docs/webhooks.md describes it."""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import quote

from tagtrail.config.channels import WebhookConfig
from tagtrail.notify.formatting import Markup
from tagtrail.notify.http import Channel, ChannelResponse, Post, SendOutcome, interpret
from tagtrail.notify.json_webhook import JSON_HEADERS, Json, JsonWebhook, read_object
from tagtrail.notify.message import Fact, Message, MessageKind
from tagtrail.trail.instant import SECOND, format_instant, now

TYPES: Final[dict[MessageKind, str]] = {
    "moved": "dev.tagtrail.tag.moved",
    "deleted": "dev.tagtrail.tag.deleted",
    "violation": "dev.tagtrail.tag.violation",
    "deployed": "dev.tagtrail.environment.deployed",
    "declared": "dev.tagtrail.environment.declared",
    "summary": "dev.tagtrail.summary",
    "alert": "dev.tagtrail.service.alert",
    "test": "dev.tagtrail.test",
}
_EVENT: Final = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
_NAMES: Final = ("environment", "registry", "repository", "digest", "previous_digest", "reference", "actor")


def make(config: WebhookConfig, *, clock: Callable[[], int] = now) -> Channel:
    """The channel to the secret `url`, signed with `secret`; several secrets, for a rotation, give a signature each.

    `clock` gives the signed timestamp of an attempt. The id is the same on every attempt.
    """
    url = config.url.reveal()
    keys = [b64decode(secret) for secret in _secrets(config)]

    def request(body: bytes, delivery: str) -> Post:
        # A body of the operator's own is a CloudEvents event only if it names its version.
        kind = _EVENT if "specversion" in read_object(body.decode()) else JSON_HEADERS
        return Post(url, body, {**kind, **sign(keys, delivery, clock(), body)})

    return JsonWebhook(config, Markup(), build, request, partial(_interpret, config))


def _secrets(config: WebhookConfig) -> list[str]:
    """In Base64."""
    return [secret.removeprefix("whsec_") for secret in config.secret.reveal().split()]


def _interpret(config: WebhookConfig, response: ChannelResponse) -> SendOutcome:
    """Interpret the HTTP status, and hide the secret if the response repeats it."""
    text = response.text
    for secret in _secrets(config):
        text = text.replace(secret, "[hidden]")
    return interpret(replace(response, text=text))


def sign(keys: Sequence[bytes], delivery: str, instant: int, body: bytes) -> dict[str, str]:
    """The three headers of https://github.com/standard-webhooks/standard-webhooks, "Webhook headers"."""
    timestamp = str(instant // SECOND)
    content = f"{delivery}.{timestamp}.".encode() + body
    signatures = [b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": delivery,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def build(message: Message, text: str | None) -> Json:
    """The event in structured mode; attributes without a value are left out."""
    event = {
        "specversion": "1.0",
        "id": message.id,
        "source": f"/tagtrail/{quote(message.registry)}" if message.registry else "/tagtrail",
        "type": TYPES[message.kind],
        "subject": _subject(message),
        "time": format_instant(message.occurred_at),
        "datacontenttype": "application/json",
        "data": _data(message, text),
    }
    return {name: value for name, value in event.items() if value}


def _subject(message: Message) -> str | None:
    """`host/repository:tag`, as far as these are known; the first of several tags."""
    if message.reference:
        return message.reference.partition("@")[0]
    return f"{message.repository}:{message.tags[0]}" if message.repository and message.tags else message.repository


def _data(message: Message, text: str | None) -> Json:
    return {
        "kind": message.kind,
        "tone": message.tone,
        "title": message.title,
        "sentences": list(message.sentences) if text is None else text.splitlines(),
        "facts": [_fact(fact) for fact in message.facts],
        "copy": [_fact(fact) for fact in message.copy],
        "link": message.link,
        "lines": list(message.lines),
        **{name: getattr(message, name) for name in _NAMES},
        "tags": list(message.tags),
    }


def _fact(fact: Fact) -> Json:
    return {"label": fact.label, "value": fact.value, "is_code": fact.is_code}
