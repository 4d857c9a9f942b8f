"""Small pieces that every channel's form is made of: text that can do nothing, lengths, times, and the plain form.

What comes from outside (tags, actors, user agents) goes through `presentable` first, which leaves one line of printable
text of bounded length, and through `inert` where a service makes mentions and links out of bare text.
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

# Lengths are in UTF-16 code units, the largest of the units by which services count (Telegram counts by it).
LONGEST_TITLE: Final = 140
LONGEST_SENTENCE: Final = 1_000
LONGEST_LABEL: Final = 40
LONGEST_VALUE: Final = 400
LONGEST_COPY: Final = 1_400  # two references of the longest host, repository, tag and digest, and words around them
_MOST_SENTENCES: Final = 40
_MOST_FACTS: Final = 24
_MOST_COPIES: Final = 4
_MOST_LINES: Final = 5  # of the ledger, named in a message's last line

_BREAK: Final = "\u200b"  # zero width space: nothing to see, and no mention, link or command any more
_LIVE: Final = re.compile(
    r"(?<=[@#$])(?=\S)"  # a mention, a hash tag, a room, a share
    r"|(?<=:)(?=//)"  # a URL
    r"|(?<=\w\.)(?=[^\W\d_]{2})"  # a host's name, with the dot before its last label
    r"|(?<=:)(?=[\w+-]+:)"  # an emoji's short name
    r"|(?:(?<=\s/)|(?<=^/))(?=\w)"  # a command
)
_Form = TypeVar("_Form")
Escape: TypeAlias = Callable[[str], str]


def unchanged(text: str) -> str:
    """The text: for a target that reads no markup."""
    return text


@dataclass(frozen=True, slots=True)
class Markup:
    """How values are written into a service's text: `escape` for words, `code` for what is copied, `link` for our URL.

    Each is given one printable line. `escape` leaves nothing that formats, mentions or links.
    """

    escape: Escape = unchanged
    code: Escape = unchanged
    link: Escape = unchanged


def units(text: str) -> int:
    """The text's length in UTF-16 code units; no service counts more than that."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def shorten(text: str, most: int) -> str:
    """The text, or as much of its beginning as makes `most` UTF-16 code units with an ellipsis; no pair is cut."""
    if units(text) <= most:
        return text
    octets = text[:most].encode("utf-16-le", "surrogatepass")[: 2 * (most - 1)]
    return octets.decode("utf-16-le", "ignore").rstrip() + "…"


def one_line(text: str, most: int) -> str:
    """Text from outside as one printable line of at most `most` UTF-16 code units."""
    return shorten(visible(shorten(text, most)), most)


def within(text: str, most: int, escape: Escape) -> str:
    """The text escaped, shortened before that, so that what is escaped has at most `most` UTF-16 code units."""
    room = most
    while units(written := escape(shorten(text, room))) > most:
        room -= max(1, room // 8)
    return written


def inert(text: str) -> str:
    """Text in which no service finds a mention, a hash tag, a link, a command or an emoji's name by itself.

    An invisible character is put in, so that what a person would copy belongs into code formatting, unchanged.
    """
    return _LIVE.sub(_BREAK, text)


def presentable(message: Message) -> Message:
    """The message with every text as one printable line of bounded length, and no more parts than a person reads.

    What is there to be copied is never cut: what would be too long is left out.
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
    """Most forms put a colon behind the label, which must not make an emoji's name of its end."""
    label = inert(f"{one_line(fact.label, LONGEST_LABEL)}:").removesuffix(":")
    return replace(fact, label=label, value=one_line(fact.value, most))


def _may_be_copied(fact: Fact) -> bool:
    return fact.value.isprintable() and units(fact.value) <= LONGEST_COPY


def safe_link(link: str | None) -> str | None:
    """The URL with every character that a markup could read percent-encoded; None unless it is http or https."""
    if link is None or urlsplit(link).scheme not in ("http", "https"):
        return None
    encoded = quote(link.encode("utf-8", "replace"), safe=":/?#&=%+,")
    return encoded.replace("_", "%5F").replace("~", "%7E")


def moment(instant: int) -> str:
    """An instant in UTC, to the minute: `2026-04-20 14:03 UTC`."""
    text = format_instant(instant, 0)
    return f"{text[:10]} {text[11:16]} UTC"


def footer(message: Message) -> str:
    """When it happened, and what in the ledger it rests on: `2026-04-20 14:03 UTC · ledger line 41`."""
    return " · ".join(filter(None, (moment(message.occurred_at), basis(message))))


def basis(message: Message) -> str:
    """What in the ledger the message rests on: `ledger lines 41, 42`; nothing for what is in no line."""
    if not message.lines:
        return ""
    named = ", ".join(map(str, message.lines[:_MOST_LINES]))
    rest = f" and {len(message.lines) - _MOST_LINES} more" if len(message.lines) > _MOST_LINES else ""
    return f"ledger {'line' if len(message.lines) == 1 else 'lines'} {named}{rest}"


def plain(message: Message, sentences: str | None = None) -> str:
    """The message as plain text that reads well by itself, the title first; `sentences` takes the sentences' place."""
    parts = [
        message.title,
        "\n".join(message.sentences) if sentences is None else sentences,
        "\n".join(f"{fact.label}: {fact.value}" for fact in message.facts),
        "\n".join(f"{fact.label}:\n  {fact.value}" for fact in message.copy),
        "\n".join(filter(None, (message.link, footer(message)))),
    ]
    return "\n\n".join(part for part in parts if part)


def fit(message: Message, build: Callable[[Message], _Form], fits: Callable[[_Form], bool]) -> _Form:
    """What is built of the message, with ever fewer parts until it fits; the title and the first sentence stay."""
    form = build(message)
    for smaller in _reductions(message):
        if fits(form):
            break
        form = build(smaller)
    return form


def _reductions(message: Message) -> Iterator[Message]:
    """The message without its last fact, without the last two, ..., then with fewer sentences, then fewer copies."""
    for count in reversed(range(len(message.facts))):
        yield replace(message, facts=message.facts[:count])
    short = replace(message, facts=())
    for count in reversed(range(1, len(message.sentences))):
        yield replace(short, sentences=message.sentences[:count])
    short = replace(short, sentences=message.sentences[:1])
    for count in reversed(range(len(message.copy))):
        yield replace(short, copy=message.copy[:count])
    for most in (LONGEST_SENTENCE // 2, LONGEST_SENTENCE // 4, LONGEST_SENTENCE // 8):  # it may be all escapes
        yield replace(short, copy=(), sentences=tuple(shorten(sentence, most) for sentence in short.sentences))


# How markup that several services read is written: the HTML of Matrix, Telegram and Google Chat, and Markdown.


BACKTICK: Final = "ˋ"  # U+02CB stands for a backtick, by which a code span would end

# Where a line could begin a heading, a quotation or a list.
_BEGINS_BLOCK: Final = re.compile(r"(?=\s*(?:[#>+=-]|\d+[.)]\s))")
_BEGINS_NOTHING: Final = "\u200b"  # zero width space


def not_a_block(text: str) -> str:
    """The line, beginning with nothing that Markdown makes a heading, a quotation or a list of."""
    return f"{_BEGINS_NOTHING}{text}" if _BEGINS_BLOCK.match(text) else text


def in_backticks(text: str) -> str:
    """Inline code as Slack, Discord and Markdown write it."""
    return f"`{text.replace('`', BACKTICK)}`" if text else "–"


def in_fences(text: str) -> str:
    """A block of code, which is easier to copy; each fence stands on a line of its own, as Mattermost wants it."""
    return f"```\n{text.replace('`', BACKTICK)}\n```"


def bare_html(text: str) -> str:
    """Text between tags, unchanged for the reader; of named entities only those that Telegram knows."""
    return html.escape(text, quote=False).replace('"', "&quot;")


def words_html(text: str) -> str:
    """Words between tags: no mention, no link by itself."""
    return bare_html(inert(text))


HTML: Final = Markup(words_html, code=lambda text: f"<code>{bare_html(text)}</code>", link=bare_html)


def without_brackets(text: str) -> str:
    """Words for a place that reads no markup, or should not: no tag can be in it under either reading."""
    return inert(text).replace("<", "‹").replace(">", "›")
