"""ntfy: a message published as JSON, so that no text becomes a header (docs.ntfy.sh/publish/#publish-as-json)."""

import json
import re
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from tagtrail.config.channels import NtfyConfig
from tagtrail.errors import ConfigurationError
from tagtrail.notify.channels.plaintext import PLAIN, make_inert, no_encoded_word, text_below_title
from tagtrail.notify.formatting import fit
from tagtrail.notify.http import Channel, Post, interpret
from tagtrail.notify.json_webhook import JSON_HEADERS, Json, JsonWebhook, as_bytes
from tagtrail.notify.message import Message, MessageTone

_TOPIC: Final = re.compile(r"[-_A-Za-z0-9]{1,64}", re.ASCII)
# By ntfy's defaults a text of 4,096 bytes becomes an attachment, and a JSON body of twice that size is refused.
_LONGEST_TEXT: Final = 3_900  # bytes
_LONGEST_BODY: Final = 8_000  # bytes
_PRIORITIES: Final[dict[MessageTone, int]] = {"notice": 3, "good": 3, "warning": 4, "alarm": 5}
_EMOJI: Final[dict[MessageTone, str]] = {  # by name; no text from outside
    "notice": "package",
    "good": "white_check_mark",
    "warning": "warning",
    "alarm": "rotating_light",
}


def make(config: NtfyConfig) -> Channel:
    """The channel to the topic at the end of the secret `url`; `token` is for protected topics.

    Raises ConfigurationError if the URL names no topic.
    """
    root, topic = _split(config)
    token = config.token
    headers = JSON_HEADERS if token is None else {**JSON_HEADERS, "Authorization": f"Bearer {token.reveal()}"}
    return JsonWebhook(
        config,
        PLAIN,
        build,
        lambda body, _: Post(root, _addressed(body, topic), headers),
        lambda response: interpret(
            replace(response, text=response.text.replace(topic, "[hidden]"))
        ),  # it repeats the message
    )


def _split(config: NtfyConfig) -> tuple[str, str]:
    """The server's root, which takes the JSON, and the topic."""
    parts = urlsplit(config.url.reveal())
    root, _, topic = parts.path.rstrip("/").rpartition("/")
    if not _TOPIC.fullmatch(topic):
        raise ConfigurationError(
            f"notify: the url of the channel {config.name!r} names no topic of ntfy; "
            "give it the server and the topic, such as https://ntfy.example/releases"
        )
    return urlunsplit((parts.scheme, parts.netloc, f"{root}/", parts.query, "")), topic


def _addressed(body: bytes, topic: str) -> bytes:
    """Add the topic to the document; it is a secret, so previews do not have it."""
    document = json.loads(body)
    return as_bytes(document | {"topic": topic}) if isinstance(document, dict) else body


def build(message: Message, text: str | None) -> Json:
    """The document without its topic. Facts, then sentences, are dropped if it is too long."""
    return fit(message, lambda fewer: _document(make_inert(fewer), text), _fits)


def _document(message: Message, text: str | None) -> Json:
    document: Json = {
        "title": no_encoded_word(message.title),  # ntfy puts it into a header
        "message": _cut(text_below_title(replace(message, link=None), text)),
        "priority": _PRIORITIES[message.tone],
        "tags": [_EMOJI[message.tone]],
        "markdown": False,
    }
    return document if message.link is None else document | {"click": message.link}


def _cut(text: str) -> str:
    """Shorten the text to ntfy's limit. After `fit` only the text of a template can be longer."""
    octets = text.encode("utf-8", "replace")
    return text if len(octets) <= _LONGEST_TEXT else octets[:_LONGEST_TEXT].decode(errors="ignore") + "…"


def _fits(document: Json) -> bool:
    return len(document["message"].encode()) <= _LONGEST_TEXT and len(as_bytes(document)) <= _LONGEST_BODY
