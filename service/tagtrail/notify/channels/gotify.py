"""Gotify: a message pushed with an application's token (gotify.net/docs/pushmsg, gotify.net/docs/msgextras)."""

from typing import Final

from tagtrail.config.channels import GotifyConfig
from tagtrail.notify.channels.plaintext import PLAIN, make_inert, text_below_title
from tagtrail.notify.http import Channel, Post
from tagtrail.notify.json_webhook import JSON_HEADERS, Json, JsonWebhook
from tagtrail.notify.message import Message, MessageTone

# Clients make a sound from 4 and vibrate from 8 (gotify.net/docs/priority).
_PRIORITIES: Final[dict[MessageTone, int]] = {"notice": 4, "good": 4, "warning": 6, "alarm": 8}


def make(config: GotifyConfig) -> Channel:
    """The channel to the server at `url`, as the application of the secret `token`."""
    url = f"{config.url}/message"
    headers = {**JSON_HEADERS, "X-Gotify-Key": config.token.reveal()}
    return JsonWebhook(config, PLAIN, build, lambda body, _: Post(url, body, headers))


def build(message: Message, text: str | None) -> Json:
    """The message as plain text: in Markdown it could load pictures from anywhere."""
    extras: Json = {"client::display": {"contentType": "text/plain"}}
    if message.link is not None:
        extras["client::notification"] = {"click": {"url": message.link}}
    shown = make_inert(message)
    return {
        "title": shown.title,
        "message": text_below_title(shown, text),
        "priority": _PRIORITIES[message.tone],
        "extras": extras,
    }
