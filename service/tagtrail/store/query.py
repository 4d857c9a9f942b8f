"""A query to a list, and a page of its rows."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from tagtrail.trail.rules import Rules

T = TypeVar("T")
Key = tuple[int | str | bytes, ...]  # the place of a row in its list; each list says what its key consists of
DEFAULT_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on the rows of a list; None sets no condition.

    `repository` is a name, or a glob as `trail/patterns.py` reads it. `digest` is whole, or a prefix such as
    `sha256:5208` or `5208`. `since` (inclusive) and `until` (exclusive) are by our clock for entries, quarantine
    and deliveries, by the registry's for everything else. Lines after `last_seq` are left out, so that a long answer
    ends.
    """

    registry: str | None = None
    repository: str | None = None
    tag: str | None = None
    digest: str | None = None
    actor: str | None = None
    kind: str | None = None
    environment: str | None = None
    channel: str | None = None
    state: str | None = None
    since: int | None = None
    until: int | None = None
    last_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A query to a list: at most `limit` rows that match the filters, after the row with the key `after`.

    `rules` are the rules in force now; hosts and kinds of tags in the answer come from them. `at` is the instant that
    the answer describes, in nanoseconds UTC; None is now. Only the lists of tags and environments look at it.
    """

    rules: Rules
    filters: Filter = Filter()
    limit: int = DEFAULT_LIMIT
    after: Key | None = None
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list. The next part begins after the key `after`; None at the end of the list.

    A page may have fewer rows than its limit, even none, before the end of the list: the search for rare rows stops
    after a bounded number of rows, so that every page is quick.
    """

    items: tuple[T, ...]
    after: Key | None = None
