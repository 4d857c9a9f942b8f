"""The message: plain words and values, before a channel formats them.

Nothing in it is escaped. Repository names, tags, actors and user agents come from outside and may be hostile: each
channel escapes them for its own service, so that they cannot become a mention, a link or formatting.
"""

from dataclasses import dataclass
from typing import Literal

MessageKind = Literal["moved", "deployed", "declared", "violation", "deleted", "summary", "alert", "test"]
MessageTone = Literal["notice", "good", "warning", "alarm"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its label; `is_code` marks a value to copy or compare: a digest, a reference, a command."""

    label: str
    value: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `id` is the delivery's id, the same on every attempt.

    `title` is one line. `sentences` say what happened, the most important first. `facts` are details, `copy` holds
    values to paste (the pinned reference, the rollback command). `link` is a page of tagtrail, never a URL that an
    event brought. `occurred_at` is by the registry's clock (for alerts by ours), in nanoseconds since 1970 UTC.
    `lines` are the ledger lines that the message reports.
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
