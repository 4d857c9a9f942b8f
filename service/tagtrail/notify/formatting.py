"""Formatting that the channels share: safe text, lengths, times, markup, and the plain text format.

Text from outside (tags, actors, user agents) first goes through `presentable`, which makes one printable line of
bounded length, and through `inert` for a service that turns bare text into mentions and links.
"""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

from tagtrail.notify.message import Fact, Message, MessageTone
from tagtrail.trail.instant import format_instant
from tagtrail.wording.text import visible

SIGNS: Final[dict[MessageTone, str]] = {"notice": "", "good": "🟢 ", "warning": "🟠 ", "alarm": "🔴 "}
COLOURS: Final[dict[MessageTone, int]] = {"notice": 0x5B6B7F, "good": 0x2E8B57, "warning": 0xD9822B, "alarm": 0xC62828}

# Lengths are in UTF-16 code units: no service counts more than these for a text (Telegram counts exactly these).
LONGEST_TITLE: Final = 140
LONGEST_SENTENCE: Final = 1_000
LONGEST_LABEL: Final = 40
LONGEST_VALUE: Final = 400
LONGEST_COPY: Final = 1_400  # two references with the longest host, repository, tag and digest, and some words
_MOST_SENTENCES: Final = 40
_MOST_FACTS: Final = 24
_MOST_COPIES: Final = 4
_MOST_LINES: Final = 5  # ledger lines that a message's footer names

BACKTICK: Final = "ˋ"  # U+02CB replaces a backtick, which would end a code span
_BREAK: Final = "\u200b"  # zero width space: invisible, and it breaks a mention, link or command
_LIVE: Final = re.compile(
    r"(?<=[@#$])(?=\S)"  # a mention, a hash tag, a room, a share
    r"|(?<=:)(?=//)"  # a URL
    r"|(?<=\w\.)(?=[^\W\d_]{2})"  # a host name, at the dot before its last label
    r"|(?<=:)(?=[\w+-]+:)"  # an emoji's short name
    r"|(?:(?<=\s/)|(?<=^/))(?=\w)"  # a command
)
_BEGINS_BLOCK: Final = re.compile(r"(?=\s*(?:[#>+=-]|\d+[.)]\s))")  # a heading, quotation or list in Markdown
_Payload = TypeVar("_Payload")
Escape: TypeAlias = Callable[[str], str]


def unchanged(text: str) -> str:
    """The text itself, for a service without markup."""
    return text


@dataclass(frozen=True, slots=True)
class Markup:
    """How a service's text holds values: `escape` for words, `code` for values to copy, `link` for a URL of tagtrail.

    Each gets one printable line. The result of `escape` cannot format, mention or link.
    """

    escape: Escape = unchanged
    code: Escape = unchanged
    link: Escape = unchanged


def units(text: str) -> int:
    """The text's length in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def shorten(text: str, most: int) -> str:
    """The text, cut to `most` UTF-16 code units including an ellipsis. Surrogate pairs stay whole."""
    if units(text) <= most:
        return text
    octets = text[:most].encode("utf-16-le", "surrogatepass")[: 2 * (most - 1)]
    return octets.decode("utf-16-le", "ignore").rstrip() + "…"


def one_line(text: str, most: int) -> str:
    """Text from outside as one printable line of at most `most` UTF-16 code units."""
    return shorten(visible(shorten(text, most)), most)


def within(text: str, most: int, escape: Escape) -> str:
    """The text shortened and then escaped, so that the result has at most `most` UTF-16 code units."""
    room = most
    while units(written := escape(shorten(text, room))) > most:
        room -= max(1, room // 8)
    return written


def inert(text: str) -> str:
    """Text that no service turns into a mention, hash tag, link, command or emoji.

    It inserts invisible characters, so values to copy go into code formatting instead, unchanged.
    """
    return _LIVE.sub(_BREAK, text)


def presentable(message: Message) -> Message:
    """The message with every text as one printable line of bounded length, and with a bounded number of parts.

    Values to copy are never cut; one that is too long is left out.
    """
    left_out = max(0, len(message.sentences) - _MOST_SENTENCES) + max(0, len(message.facts) - _MOST_FACTS)
    names: dict[str, Any] = {name: _optional(getattr(message, name)) for name in _TEXTS}
    sentences = tuple(one_line(sentence, LONGEST_SENTENCE) for sentence in message.sentences[:_MOST_SENTENCES])
    return replace(
        message,
        title=one_line(message.title, LONGEST_TITLE),
        sentences=(*sentences, f"And {left_out} more.") if left_out else sentences,
        facts=tuple(_presentable_fact(fact, LONGEST_VALUE) for fact in message.facts[:_MOST_FACTS]),
        copy=tuple(
            _presentable_fact(fact, LONGEST_COPY) for fact in message.copy[:_MOST_COPIES] if _may_be_copied(fact)
        ),
        link=safe_link(message.link),
        tags=tuple(one_line(tag, LONGEST_VALUE) for tag in message.tags),
        **names,
    )


_TEXTS: Final = ("environment", "registry", "repository", "digest", "previous_digest", "reference", "actor")


def _optional(text: str | None) -> str | None:
    return None if text is None else one_line(text, LONGEST_COPY)


def _presentable_fact(fact: Fact, most: int) -> Fact:
    """Most channels put a colon after the label; with it the label's end must not read as an emoji's name."""
    label = inert(f"{one_line(fact.label, LONGEST_LABEL)}:").removesuffix(":")
    return replace(fact, label=label, value=one_line(fact.value, most))


def _may_be_copied(fact: Fact) -> bool:
    return fact.value.isprintable() and units(fact.value) <= LONGEST_COPY


def safe_link(link: str | None) -> str | None:
    """The URL with every character that has a meaning in markup percent-encoded; None unless it is http or https."""
    if link is None or urlsplit(link).scheme not in ("http", "https"):
        return None
    encoded = quote(link.encode("utf-8", "replace"), safe=":/?#&=%+,")
    return encoded.replace("_", "%5F").replace("~", "%7E")


def moment(instant: int) -> str:
    """An instant in UTC, to the minute: `2026-04-20 14:03 UTC`."""
    text = format_instant(instant, 0)
    return f"{text[:10]} {text[11:16]} UTC"


def footer(message: Message) -> str:
    """The time of the event, and its ledger lines: `2026-04-20 14:03 UTC · ledger line 41`."""
    return " · ".join(filter(None, (moment(message.occurred_at), basis(message))))


def basis(message: Message) -> str:
    """The ledger lines of the message: `ledger lines 41, 42`; empty without lines."""
    if not message.lines:
        return ""
    named = ", ".join(map(str, message.lines[:_MOST_LINES]))
    rest = f" and {len(message.lines) - _MOST_LINES} more" if len(message.lines) > _MOST_LINES else ""
    return f"ledger {'line' if len(message.lines) == 1 else 'lines'} {named}{rest}"


def plain(message: Message, sentences: str | None = None) -> str:
    """The message as plain text, the title first; `sentences` replaces its sentences."""
    parts = [
        message.title,
        "\n".join(message.sentences) if sentences is None else sentences,
        "\n".join(f"{fact.label}: {fact.value}" for fact in message.facts),
        "\n".join(f"{fact.label}:\n  {fact.value}" for fact in message.copy),
        "\n".join(filter(None, (message.link, footer(message)))),
    ]
    return "\n\n".join(part for part in parts if part)


def fit(message: Message, build: Callable[[Message], _Payload], fits: Callable[[_Payload], bool]) -> _Payload:
    """Build the payload from fewer and fewer parts until it fits; the title and the first sentence stay."""
    payload = build(message)
    for smaller in _reductions(message):
        if fits(payload):
            break
        payload = build(smaller)
    return payload


def _reductions(message: Message) -> Iterator[Message]:
    """The message with fewer and fewer facts, then with fewer sentences, then with fewer values to copy."""
    for count in reversed(range(len(message.facts))):
        yield replace(message, facts=message.facts[:count])
    short = replace(message, facts=())
    for count in reversed(range(1, len(message.sentences))):
        yield replace(short, sentences=message.sentences[:count])
    short = replace(short, sentences=message.sentences[:1])
    for count in reversed(range(len(message.copy))):
        yield replace(short, copy=message.copy[:count])
    for most in (LONGEST_SENTENCE // 2, LONGEST_SENTENCE // 4, LONGEST_SENTENCE // 8):  # it may consist of escapes
        yield replace(short, copy=(), sentences=tuple(shorten(sentence, most) for sentence in short.sentences))


def not_a_block(text: str) -> str:
    """The line with a start that Markdown does not read as a heading, a quotation or a list."""
    return f"{_BREAK}{text}" if _BEGINS_BLOCK.match(text) else text


def in_backticks(text: str) -> str:
    """Inline code in Markdown, also for Slack and Discord."""
    return f"`{text.replace('`', BACKTICK)}`" if text else "–"


def in_fences(text: str) -> str:
    """A code block, which is easier to copy. Mattermost needs each fence on its own line."""
    return f"```\n{text.replace('`', BACKTICK)}\n```"


def bare_html(text: str) -> str:
    """Text between HTML tags; uses only those named entities that Telegram knows."""
    return html.escape(text, quote=False).replace('"', "&quot;")


def words_html(text: str) -> str:
    """Text between HTML tags that cannot become a mention or a link."""
    return bare_html(inert(text))


HTML: Final = Markup(words_html, code=lambda text: f"<code>{bare_html(text)}</code>", link=bare_html)


def without_brackets(text: str) -> str:
    """Text for a place that may or may not interpret HTML: it holds no tag either way."""
    return inert(text).replace("<", "‹").replace(">", "›")
