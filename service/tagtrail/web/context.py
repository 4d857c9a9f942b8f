"""One request for a page: who asks, what they ask for, and what the answer is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from tagtrail.access.callers import Caller
from tagtrail.access.redaction import Audience
from tagtrail.access.scopes import Scope
from tagtrail.config.notifications import BLOCK_FORMS, BlockForm
from tagtrail.errors import BadParameter
from tagtrail.store.database import Connection
from tagtrail.store.filters import read_cursor, read_filter, read_instant, read_text
from tagtrail.store.query import Filter, Query
from tagtrail.trail.rules import Hosts, Rules
from tagtrail.wording.clauses import Manner
from tagtrail.wording.line_text import Narrator, ReleaseTags

T = TypeVar("T")
Wiring = Mapping[str, "RenderBlock"]  # by the names of the configured registries
ROWS: Final = 40  # of a list on a page


class RenderBlock(Protocol):
    """Renders the notification settings to paste into one registry; `token` replaces the real token."""

    def __call__(self, *, form: BlockForm, token: str | None = None) -> str:
        """The settings in that form."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What every page is handed. `db` is one state of the store, `now` our clock, `parameters` those of the query.

    An empty parameter is left out: a form sends all of its fields.
    """

    audience: Audience
    db: Connection
    rules: Rules
    now: int
    parameters: Mapping[str, str]
    wiring: Wiring

    @property
    def caller(self) -> Caller:
        """Whoever asks."""
        return self.audience.caller

    @property
    def hosts(self) -> Hosts:
        """The registries' hosts by the rules in force."""
        return self.rules.hosts

    @property
    def has_several_registries(self) -> bool:
        """Whether a repository's name does not say which registry is meant."""
        return self.rules.has_several_registries

    @property
    def narrator(self) -> Narrator:
        """Tells lines of the ledger as far as this visitor may know them."""
        manner = Manner(self.hosts, self.has_several_registries)
        return Narrator(manner, ReleaseTags(lambda: self.db), names_people=self.caller.sees_identities)

    def see(self, shown: T) -> T:
        """What of it this visitor may see."""
        return self.audience.see(shown)

    def filter(self, *accepted: str) -> Filter:
        """The filter that the query asks for. Raises BadParameter, and NotAllowed for who may not know people."""
        given = {name: text for name, text in self.parameters.items() if name not in ("cursor", "limit")}
        if "actor" in given:
            self.caller.require("identity")
        return read_filter(given, accepted=accepted)

    def query(self, filters: Filter, key: tuple[type, ...], *, rows: int = ROWS) -> Query:
        """A query for the part of a list at which the page's cursor points. Raises BadParameter."""
        cursor = self.parameters.get("cursor")
        after = read_cursor(read_text("cursor", cursor), key) if cursor else None
        return Query(self.rules, filters, limit=rows, after=after)

    def block_form(self) -> BlockForm:
        """The form in which the query wants notification settings. Raises BadParameter."""
        wanted = self.parameters.get("form", "file")
        for form in BLOCK_FORMS:
            if form == wanted:
                return form
        raise BadParameter("form", f"form is {wanted[:80]!r}; it is one of {', '.join(BLOCK_FORMS)}")

    def instant(self, name: str) -> int | None:
        """The time that a parameter names. Raises BadParameter."""
        text = self.parameters.get(name)
        return read_instant(name, text) if text else None


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its name, which is also its template's, its address, and what is shown on it.

    `view` makes a frozen dataclass of a visit and of what the address names. It holds instants, never how long ago they
    were, so that a page that would say the same need not be sent again. `may_be_kept` tells of what was made whether a
    browser may keep it: a secret is on no disk afterwards.
    """

    name: str
    rule: str
    view: Callable[..., Any]
    scope: Scope = "read"
    tells_of_people: bool = True
    may_be_kept: Callable[[Any], bool] = lambda _: True
