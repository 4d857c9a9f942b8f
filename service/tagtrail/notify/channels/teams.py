"""Microsoft Teams: an Adaptive Card for a workflow "When a Teams webhook request is received".

The card is an attachment of a message: learn.microsoft.com/connectors/teams, "Microsoft Teams Webhook".
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tagtrail.config.channels import TeamsConfig
from tagtrail.notify.formatting import Markup, fit, footer, inert, not_a_block
from tagtrail.notify.http import Channel, ChannelResponse, SendOutcome, interpret
from tagtrail.notify.json_webhook import OPEN, Json, JsonWebhook, as_bytes, to_secret_url
from tagtrail.notify.message import Fact, Message, MessageTone

_LARGEST: Final = 26_000  # bytes; Teams refuses a message of about 28 KB
_STYLES: Final[dict[MessageTone, str]] = {
    "notice": "emphasis",
    "good": "good",
    "warning": "warning",
    "alarm": "attention",
}

# The Markdown of learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format. An underscore
# inside a word does not format. It is not escaped, since some clients would show the backslash.
_FORMATS: Final = re.compile(r"[\\*`~|\[\]<>&!]|(?<![^\W_])_|_(?![^\W_])")
_FUNCTION: Final = re.compile(r"(?<=\{)(?=\{)")  # Teams evaluates `{{DATE(...)}}` and `{{TIME(...)}}` in a card's text


def make(config: TeamsConfig) -> Channel:
    """The channel at the secret `url` of a workflow. It responds with 202; a 401, 403 or 404 means that it is gone."""
    return JsonWebhook(config, MARKUP, build, to_secret_url(config), _interpret)


def _words(text: str) -> str:
    return not_a_block(_FORMATS.sub(r"\\\g<0>", _FUNCTION.sub("\u200b", inert(text))))


MARKUP: Final = Markup(_words, code=_words)  # a card's Markdown has no code


def build(message: Message, text: str | None) -> Json:
    """The message with its card. Without `msteams.entities` it cannot mention anyone."""
    return fit(message, lambda part: _message(part, text), lambda form: len(as_bytes(form)) <= _LARGEST)


def _message(message: Message, text: str | None) -> Json:
    card: Json = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": inert(message.title),
        "msteams": {"width": "Full"},
        "body": list(_body(message, text)),
    }
    if message.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": OPEN, "url": message.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "summary": inert(message.title), "attachments": [attachment]}


def _body(message: Message, text: str | None) -> Iterator[Json]:
    title = _text(_words(message.title), size="Medium", weight="Bolder", style="heading")
    yield {"type": "Container", "style": _STYLES[message.tone], "bleed": True, "items": [title]}
    if text is None:
        yield from (_text(_words(sentence)) for sentence in message.sentences)
    else:
        yield _text(text.replace("\n", "\n\n"))  # Teams shows a single line feed as a space
    if message.facts:
        yield {"type": "FactSet", "facts": [_fact(fact) for fact in message.facts]}
    for fact in message.copy:
        yield _text(_words(fact.label), weight="Bolder", spacing="Medium")
        # A TextRun does not interpret Markdown, so its text is copied unchanged.
        run = {"type": "TextRun", "text": _FUNCTION.sub("\u200b", fact.value), "fontType": "Monospace"}
        yield {"type": "RichTextBlock", "inlines": [run], "spacing": "Small"}
    yield _text(footer(message), size="Small", isSubtle=True, spacing="Medium")


def _text(text: str, **properties: object) -> Json:
    return {"type": "TextBlock", "text": text, "wrap": True, **properties}


def _fact(fact: Fact) -> Json:
    return {"title": _words(fact.label), "value": _words(fact.value) or "–"}


def _interpret(response: ChannelResponse) -> SendOutcome:
    """An older connector responds with 200 and an error text if Teams refused the message, for instance by rate limit.

    learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using, "Rate limiting".
    """
    outcome = interpret(response)
    if outcome.is_sent and "returned HTTP error" in response.text:
        return replace(outcome, is_sent=False, detail="Teams refused it, with an error text in a response 200")
    return outcome
