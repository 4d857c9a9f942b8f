"""The message: what is told, in plain words and values, before any channel gives it a form.

Nothing in it is escaped. Repository names, tags, actors and user agents come from outside and may be hostile: every
channel escapes for its own target, and no channel lets them become a mention, a link or formatting.
"""

from dataclasses import dataclass
from typing import Literal

MessageKind = Literal["moved", "deployed", "declared", "violation", "deleted", "summary", "trouble", "test"]
MessageTone = Literal["notice", "good", "warning", "alarm"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its label; `is_code` for what a person would copy or compare: a digest, a reference, a command."""

    label: str
    value: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `id` is the delivery's: the same on every try.

    `title` is one line. `sentences` say what happened, the most important first. `facts` are details for those who
    look closer, `copy` what to paste (the pinned reference, the command to go back). `link` is a page of ours, never a
    URL that an event brought. `occurred_at` is by the registry's clock (ours for troubles), nanoseconds since 1970 UTC.
    `lines` are the ledger's lines that it rests on.
    """

    id: str
    kind: MessageKind
    tone: MessageTone
    title: str
    sentences: tuple[str, ...]
    occurred_at: int
    facts: tuple[Fact, ...] = ()
    copy: tuple[Fact, ...] = ()
    link: str | None = None
    lines: tuple[int, ...] = ()
    environment: str | None = None
    registry: str | None = None
    repository: str | None = None
    tags: tuple[str, ...] = ()
    digest: str | None = None
    previous_digest: str | None = None
    reference: str | None = None
    actor: str | None = None
