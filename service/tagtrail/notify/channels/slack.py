"""Slack, and services that take its incoming webhooks: Mattermost and Rocket.Chat.

Slack shows the blocks (docs.slack.dev/reference/block-kit) and uses `text` as its notification. The others do not know
blocks and show `text` (developers.mattermost.com/integrate/webhooks/incoming). Each is complete by itself.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from tagtrail.config.channels import SlackConfig
from tagtrail.notify.formatting import (
    SIGNS,
    Markup,
    fit,
    footer,
    in_backticks,
    in_fences,
    inert,
    not_a_block,
    units,
    within,
    without_brackets,
)
from tagtrail.notify.http import Channel
from tagtrail.notify.json_webhook import OPEN, Json, JsonWebhook, to_secret_url
from tagtrail.notify.message import Fact, Message

# Characters, by docs.slack.dev/reference/block-kit/composition-objects/text-object and .../blocks.
_LONGEST_HEADER: Final = 150
_LONGEST_TEXT: Final = 3_000
_LONGEST_FIELD: Final = 2_000
_MOST_FIELDS: Final = 10
_MOST_BLOCKS: Final = 50
_LONGEST_FALLBACK: Final = 3_900  # Slack advises at most 4,000 for `text`; older Mattermost accepts no more

# Slack's mrkdwn cannot escape formatting characters, and shows a backslash. These look alike and do not format. Of them
# repositories, tags and digests contain only the underscore, which formats only at the edge of a word.
_LOOK_ALIKE: Final = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ", "[": "［", "]": "］", "$": "＄"})
_FORMATTING_UNDERSCORE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")


def make(config: SlackConfig) -> Channel:
    """The channel at the secret `url`. A 404 or 410 means that the webhook or its room is gone, which is permanent."""
    return JsonWebhook(config, MARKUP, build, to_secret_url(config))


def _entities(text: str) -> str:
    """`&`, `<` and `>` as docs.slack.dev/messaging/formatting-message-text wants them: no `<!channel>`, no `<url>`."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _words(text: str) -> str:
    return _entities(not_a_block(inert(_FORMATTING_UNDERSCORE.sub("ˍ", text).translate(_LOOK_ALIKE))))


MARKUP: Final = Markup(_words, code=lambda text: _entities(in_backticks(text)), link=_entities)


def build(message: Message, text: str | None) -> Json:
    """The payload: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks."""
    return {
        "text": fit(message, lambda part: _fallback(part, text), lambda form: units(form) <= _LONGEST_FALLBACK),
        "blocks": fit(message, lambda part: list(_blocks(part, text)), lambda form: len(form) <= _MOST_BLOCKS),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _fallback(message: Message, text: str | None) -> str:
    sentences = "\n".join(map(_words, message.sentences)) if text is None else text
    facts = "\n".join(
        f"{_words(fact.label)}: {(MARKUP.code if fact.is_code else _words)(fact.value)}" for fact in message.facts
    )
    copies = "\n".join(f"{_words(fact.label)}:\n{_entities(in_fences(fact.value))}" for fact in message.copy)
    link = f"<{_entities(message.link)}|{OPEN}>" if message.link else ""
    title = SIGNS[message.tone] + _words(message.title)
    return "\n\n".join(filter(None, (title, sentences, facts, copies, link, footer(message))))


def _blocks(message: Message, text: str | None) -> Iterator[Json]:
    yield {"type": "header", "text": _plain(SIGNS[message.tone] + message.title, _LONGEST_HEADER)}
    if text is None:
        yield from ({"type": "section", "text": _plain(part, _LONGEST_TEXT)} for part in _paragraphs(message))
    else:
        yield {"type": "section", "text": _mrkdwn(text)}
    for start in range(0, len(message.facts), _MOST_FIELDS):
        yield {"type": "section", "fields": [_field(fact) for fact in message.facts[start : start + _MOST_FIELDS]]}
    for copied in map(_copied, message.copy):
        if units(copied) <= _LONGEST_TEXT:  # leave it out rather than cut a command
            yield {"type": "section", "text": _mrkdwn(copied)}
    if message.link:
        button = {"type": "button", "text": _plain(OPEN, 75), "url": message.link, "action_id": "open"}
        yield {"type": "actions", "elements": [button]}
    yield {"type": "context", "elements": [_plain(footer(message), _LONGEST_TEXT)]}


def _paragraphs(message: Message) -> Iterator[str]:
    """The sentences, one per line, in as few sections as possible."""
    paragraph = ""
    for sentence in message.sentences:
        if paragraph and units(without_brackets(f"{paragraph}\n{sentence}")) > _LONGEST_TEXT:
            yield paragraph
            paragraph = ""
        paragraph = f"{paragraph}\n{sentence}" if paragraph else sentence
    if paragraph:
        yield paragraph


def _field(fact: Fact) -> Json:
    write = MARKUP.code if fact.is_code else _words
    label = within(fact.label, _LONGEST_FIELD // 4, _words)
    return _mrkdwn(f"*{label}*\n{within(fact.value, _LONGEST_FIELD // 2, write)}")


def _copied(fact: Fact) -> str:
    return f"*{_words(fact.label)}*\n{_entities(in_fences(fact.value))}"


def _plain(text: str, most: int) -> Json:
    """Text that Slack does not format."""
    return {"type": "plain_text", "text": within(text, most, without_brackets), "emoji": False}


def _mrkdwn(text: str) -> dict[str, Any]:
    """Formatted text. `verbatim` keeps Slack from making links and mentions of plain words."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}
