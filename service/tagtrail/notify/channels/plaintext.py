"""Plain text for services that read no markup, and yet make mentions and links out of bare text."""

from dataclasses import replace
from typing import Final

from tagtrail.notify.formatting import Markup, inert, plain
from tagtrail.notify.message import Message

PLAIN: Final = Markup(escape=inert)


def still(message: Message) -> Message:
    """A presentable message in which no word is live. What is there to be copied stays as it is."""
    return replace(
        message,
        title=inert(message.title),
        sentences=tuple(inert(sentence) for sentence in message.sentences),
        facts=tuple(replace(fact, value=inert(fact.value)) for fact in message.facts),
    )


def text_below_title(message: Message, sentences: str | None) -> str:
    """The plain form without its title, for a service that shows the title in a place of its own."""
    return plain(replace(message, title=""), sentences)


def no_encoded_word(title: str) -> str:
    """A title for a header, in which nothing looks like an encoded word (RFC 2047), which would be decoded."""
    return title.replace("=?", "= ?")
