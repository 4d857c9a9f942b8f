"""How markup that several services read is written: the HTML of Matrix, Telegram and Google Chat, and Markdown."""

import html
import re
from typing import Final

from tagtrail.notify.forms import Markup, inert

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
