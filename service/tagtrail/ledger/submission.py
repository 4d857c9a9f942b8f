"""The recorder's input, drafts of lines and counted events, and its results: lines and outcomes."""

from collections.abc import Callable
from dataclasses import dataclass

from tagtrail.line import Entry
from tagtrail.trail.moves import Moment, MoveKind


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that has no place in the ledger yet, with the documents behind its commitments.

    `moment` is what the entry's `occurred` and `event` stand for, where it has both and they were read already.
    `may_compare` decides, for a line with the same id, whether the sender may learn if the contents are equal.
    """

    entry: Entry
    who: bytes | None = None
    raw: bytes | None = None
    moment: Moment | None = None
    may_compare: Callable[[Entry], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Counted:
    """An event that is no evidence of change. `day` is the registry's UTC day, `event` the event's 16-byte key."""

    registry: str
    instance: str
    host: str
    event: bytes
    day: str
    action: str


Item = Draft | Counted


@dataclass(frozen=True, slots=True)
class Submission:
    """The items of one request, in its order; they are recorded as a whole or not at all."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """An entry in its place, with the documents behind its commitments and the instants that its text stands for.

    `moment` may be left to be read from the entry.
    """

    seq: int
    entry: Entry
    received_at: int
    who: bytes | None = None
    raw: bytes | None = None
    moment: Moment | None = None


@dataclass(frozen=True, slots=True)
class ProjectedMove:
    """A move of this tag that a line caused; `is_late` if the head had moved on before the line came."""

    repository: str
    tag: str
    kind: MoveKind
    violates: bool
    is_late: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """A draft has become the line `seq`; `moves` is empty until the line is projected."""

    seq: int
    entry: Entry
    moves: tuple[ProjectedMove, ...] = ()


@dataclass(frozen=True, slots=True)
class Repeated:
    """The ledger already holds the very same as the line `seq`."""

    seq: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """The ledger holds another event under the same id as the line `seq`."""

    seq: int


Outcome = Recorded | Repeated | Conflict
