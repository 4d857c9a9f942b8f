"""The context of a page: the caller, a snapshot of the store, and the parameters of the query."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from tagtrail.access.callers import Caller
from tagtrail.access.redaction import Redaction
from tagtrail.access.scopes import Scope
from tagtrail.config.notifications import BLOCK_FORMS, BlockForm
from tagtrail.errors import BadParameter
from tagtrail.store.database import Connection
from tagtrail.store.filters import read_cursor, read_filter, read_instant, read_text
from tagtrail.store.query import Filter, Query
from tagtrail.trail.rules import Hosts, Rules
from tagtrail.wording.clauses import Style
from tagtrail.wording.line_text import LineText, ReleaseTags

T = TypeVar("T")
Blocks = Mapping[str, "RenderBlock"]  # by the names of the configured registries
ROWS: Final = 40  # of a list on a page


class RenderBlock(Protocol):
    """Renders the notification settings to paste into one registry; `token` replaces the real token."""

    def __call__(self, *, form: BlockForm, token: str | None = None) -> str:
        """The settings in that form."""


@dataclass(frozen=True, slots=True)
class PageContext:
    """One request for a page. `db` is a snapshot of the store, `now` our clock, `parameters` those of the query.

    A form sends all of its fields; `parameters` leaves out the empty ones. `blocks` render the settings to paste into
    each configured registry.
    """

    redaction: Redaction
    db: Connection
    rules: Rules
    now: int
    parameters: Mapping[str, str]
    blocks: Blocks

    @property
    def caller(self) -> Caller:
        """The caller who asks for the page."""
        return self.redaction.caller

    @property
    def hosts(self) -> Hosts:
        """The registries' hosts by the rules in force."""
        return self.rules.hosts

    @property
    def has_several_registries(self) -> bool:
        """Whether a repository's name does not say which registry is meant."""
        return self.rules.has_several_registries

    @property
    def line_text(self) -> LineText:
        """Writes lines of the ledger as sentences, without identities if the caller may not see them."""
        style = Style(self.hosts, self.has_several_registries)
        return LineText(style, ReleaseTags(lambda: self.db), names_people=self.caller.sees_identities)

    def redact(self, shown: T) -> T:
        """The same value without identities, unless the caller may see them."""
        return self.redaction.apply(shown)

    def filter(self, *accepted: str) -> Filter:
        """The filter of the query. Raises BadParameter, and NotAllowed for `actor` without the scope `identity`."""
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
        """The time in a parameter, in nanoseconds. Raises BadParameter."""
        text = self.parameters.get(name)
        return read_instant(name, text) if text else None


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page: its name, which is also the name of its template, its address, and the function that makes its view.

    `view` makes a frozen dataclass from a context and from the values in the address. The view holds instants and no
    relative times, so that an unchanged page keeps its ETag. `may_be_cached` says whether a browser may keep the page;
    it must not keep a page with a secret.
    """

    name: str
    rule: str
    view: Callable[..., Any]
    scope: Scope = "read"
    shows_identities: bool = True
    may_be_cached: Callable[[Any], bool] = lambda _: True
