"""Plain text for services without markup, some of which still turn bare text into mentions and links."""

from dataclasses import replace
from typing import Final

from tagtrail.notify.formatting import Markup, inert, plain
from tagtrail.notify.message import Message

PLAIN: Final = Markup(escape=inert)


def make_inert(message: Message) -> Message:
    """A presentable message with inert text. Values to copy stay unchanged."""
    return replace(
        message,
        title=inert(message.title),
        sentences=tuple(inert(sentence) for sentence in message.sentences),
        facts=tuple(replace(fact, value=inert(fact.value)) for fact in message.facts),
    )


def text_below_title(message: Message, sentences: str | None) -> str:
    """The plain format without the title, for a service that shows the title separately."""
    return plain(replace(message, title=""), sentences)


def no_encoded_word(title: str) -> str:
    """A title that is safe in a header: nothing in it looks like an encoded word (RFC 2047), which would be decoded."""
    return title.replace("=?", "= ?")
