"""Google Chat: a card posted to a space's webhook (developers.google.com/workspace/chat/quickstart/webhooks)."""

from collections.abc import Iterator
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from tagtrail.config.channels import GoogleChatConfig
from tagtrail.notify.formatting import HTML, SIGNS, fit, footer, in_fences, without_brackets, words_html
from tagtrail.notify.http import Channel, Post
from tagtrail.notify.json_webhook import JSON_HEADERS, OPEN, Json, JsonWebhook, as_bytes
from tagtrail.notify.message import Fact, Message

_LARGEST: Final = 31_000  # bytes; the API takes 32,000 (.../chat/api/reference/rest/v1/spaces.messages/create)


def make(config: GoogleChatConfig) -> Channel:
    """The channel at the secret `url`, which contains Google's key and token."""
    return JsonWebhook(config, HTML, build, partial(_request, config))


def build(message: Message, text: str | None) -> Json:
    """A card in HTML, and the notification's text. `text` is left out, since `<users/all>` in it would mention all."""
    return fit(message, lambda part: _message(part, text), lambda form: len(as_bytes(form)) <= _LARGEST)


def _message(message: Message, text: str | None) -> Json:
    title = SIGNS[message.tone] + without_brackets(message.title)
    header = {"title": title, "subtitle": footer(message)}
    card = {"header": header, "sections": [{"widgets": list(widgets)} for widgets in _sections(message, text)]}
    return {"fallbackText": title, "cardsV2": [{"cardId": message.id, "card": card}]}


def _sections(message: Message, text: str | None) -> Iterator[list[Json]]:
    sentences = "\n".join(map(words_html, message.sentences)) if text is None else text
    yield [{"textParagraph": {"text": sentences.replace("\n", "<br>")}}]
    if message.facts:
        columns = [{"widgets": [_fact(fact) for fact in facts]} for facts in _in_two(message.facts) if facts]
        yield [{"columns": {"columnItems": columns}}]
    if message.copy:
        yield [widget for fact in message.copy for widget in _copied(fact)]
    if message.link:
        yield [{"buttonList": {"buttons": [{"text": OPEN, "onClick": {"openLink": {"url": message.link}}}]}}]


def _in_two(facts: tuple[Fact, ...]) -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """Split the facts into two columns, to be read line by line."""
    return facts[::2], facts[1::2]


def _fact(fact: Fact) -> Json:
    """The label is plain text, the value HTML, which has no code here (.../chat/format-messages, "Format cards")."""
    text = words_html(fact.value) or "–"
    return {"decoratedText": {"topLabel": without_brackets(fact.label), "text": text, "wrapText": True}}


def _copied(fact: Fact) -> tuple[Json, Json]:
    """The label, and a paragraph in Markdown that holds only the code block."""
    code = {"text": in_fences(fact.value), "textSyntax": "MARKDOWN"}
    return {"textParagraph": {"text": f"<b>{words_html(fact.label)}</b>"}}, {"textParagraph": code}


def _request(config: GoogleChatConfig, body: bytes, identity: str) -> Post:
    """The delivery's id as `requestId`: Google makes one message of repeated requests with the same id."""
    url = urlsplit(config.url.reveal())
    query = urlencode([*parse_qsl(url.query, keep_blank_values=True), ("requestId", identity)])
    return Post(url._replace(query=query).geturl(), body, JSON_HEADERS)
