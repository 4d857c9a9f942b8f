"""Telegram: a message of a bot (core.telegram.org/bots/api#sendmessage)."""

from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from tagtrail.config.channels import TelegramConfig
from tagtrail.notify.formatting import HTML, SIGNS, bare_html, fit, footer, one_line, units, words_html
from tagtrail.notify.http import Channel, ChannelResponse, Post, SendOutcome, interpret
from tagtrail.notify.json_webhook import JSON_HEADERS, OPEN, Json, JsonWebhook, read_object, seconds
from tagtrail.notify.message import Fact, Message

SERVER: Final = "https://api.telegram.org"
_LONGEST: Final = 4_096  # UTF-16 code units without tags; here the tags are counted too
_LONGEST_DETAIL: Final = 300


def make(config: TelegramConfig) -> Channel:
    """The channel to `chat`, as the bot of the secret `token`.

    `server` replaces Telegram's own server by a Bot API server of your own
    (core.telegram.org/bots/api#using-a-local-bot-api-server).
    """
    return JsonWebhook(config, HTML, partial(build, chat=config.chat), partial(_request, config), _interpret)


def build(message: Message, text: str | None, *, chat: str) -> Json:
    """The parameters of the method, with HTML as in core.telegram.org/bots/api#html-style."""
    document: Json = {
        "chat_id": chat,
        "text": fit(message, lambda part: _html(part, text), lambda form: units(form) <= _LONGEST),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
    if message.link and _may_be_button(message.link):
        document["reply_markup"] = {"inline_keyboard": [[{"text": OPEN, "url": message.link}]]}
    return document


def _may_be_button(link: str) -> bool:
    """Telegram refuses the whole message (BUTTON_URL_INVALID) if a button leads to a host without a dot."""
    return "." in (urlsplit(link).hostname or "")


def _html(message: Message, text: str | None) -> str:
    parts = [
        f"{SIGNS[message.tone]}<b>{words_html(message.title)}</b>",
        "\n".join(map(words_html, message.sentences)) if text is None else text,
        "\n".join(f"{words_html(fact.label)}: {_value(fact)}" for fact in message.facts),
        "\n".join(f"{words_html(fact.label)}:\n<pre>{bare_html(fact.value)}</pre>" for fact in message.copy),
    ]
    link = f'<a href="{bare_html(message.link)}">{OPEN}</a>\n' if message.link else ""
    if message.link and _may_be_button(message.link):
        link = ""
    return "\n\n".join(part for part in (*parts, f"{link}<i>{footer(message)}</i>") if part)


def _value(fact: Fact) -> str:
    return HTML.code(fact.value) if fact.is_code else f"<b>{words_html(fact.value)}</b>"


def _request(config: TelegramConfig, body: bytes, _: str) -> Post:
    """The token is a part of the URL, which is therefore secret too."""
    server = config.server or SERVER
    token = config.token.reveal()
    return Post(f"{server}/bot{token}/sendMessage", body, JSON_HEADERS, secrets=(token,))


def _interpret(response: ChannelResponse) -> SendOutcome:
    """Read the description of a refusal, and the wait of a 429 (.../bots/api#responseparameters)."""
    outcome = interpret(response)
    document = read_object(response.text)
    parameters = document.get("parameters")
    wait = seconds(parameters.get("retry_after")) if isinstance(parameters, dict) else None
    description = document.get("description")
    if outcome.is_sent or not isinstance(description, str):
        return outcome
    return replace(
        outcome,
        detail=one_line(description, _LONGEST_DETAIL) + _moved(parameters),
        retry_after=wait if wait is not None else outcome.retry_after,
    )


def _moved(parameters: object) -> str:
    """The new id of a group that became a supergroup; the operator has to change the configuration."""
    known = parameters.get("migrate_to_chat_id") if isinstance(parameters, dict) else None
    return f" (the chat's id is now {known})" if isinstance(known, int) else ""
