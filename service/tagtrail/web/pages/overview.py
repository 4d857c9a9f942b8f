"""The overview: what is published now, what moved last, what is wrong, and whether the registries are wired."""

from dataclasses import dataclass
from typing import Final

from tagtrail.audit.going_back import choose_tag, doubts_of
from tagtrail.store.annotations import find_annotations
from tagtrail.store.answers import BoardRow, Cut, Filter, HistoryMove, Posting, Published, Violation
from tagtrail.store.questions.environments import find_board
from tagtrail.store.questions.moves import find_moves
from tagtrail.store.questions.violations import find_violations
from tagtrail.trail.commands import make_commands
from tagtrail.trail.instant import DAY, SECOND
from tagtrail.trail.names import Reference
from tagtrail.web.paging import Paging
from tagtrail.web.strip import WEEKS, Bars, make_strip
from tagtrail.web.visit import Page, Visit
from tagtrail.web.wired import Wired, find_wired

_ROWS: Final = 12  # repositories on the board
_MOVES: Final = 12
_VIOLATIONS: Final = 5
_FRESH: Final = 600 * SECOND  # in which it is said that a registry's first event has arrived
_LOOKED_AT: Final = 50  # violations, for those to which nothing was tied


@dataclass(frozen=True, slots=True)
class Place:
    """An environment of a repository on the board; `command` puts its tag one step back, `doubts` speak against it."""

    posting: Posting
    strip: tuple[Bars, ...]
    command: str | None
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A repository on the board."""

    registry: str
    repository: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the page. `blocks` are there while nothing was heard of any registry: what to paste into each."""

    board: tuple[Row, ...]
    paging: Paging
    moves: tuple[HistoryMove, ...]
    violations: tuple[Violation, ...]
    wired: tuple[Wired, ...]
    blocks: tuple[tuple[str, str], ...]
    fresh: int = _FRESH


def make_overview(visit: Visit) -> Overview:
    """The overview; the board narrowed by `registry`, `repository` (a glob) and `environment`."""
    asked, cut = visit.filter("registry", "repository", "environment"), visit.cut((str, str), rows=_ROWS)
    today = visit.now // DAY
    board = find_board(visit.db, asked, cut, recent_since=(today - 7 * WEEKS + 1) * DAY)
    wired = find_wired(visit.db, visit.rules)
    return Overview(
        board=tuple(_make_row(visit, row, today) for row in board.items),
        paging=Paging.of(board, visit.parameters),
        moves=find_moves(visit.db, Filter(), Cut(_MOVES)).items,
        violations=_find_open_violations(visit),
        wired=wired,
        blocks=_blocks(visit) if not any(registry.last_seen_at for registry in wired) else (),
    )


def _make_row(visit: Visit, row: BoardRow, today: int) -> Row:
    places = tuple(_make_place(visit, posting, today) for posting in row.postings)
    return Row(row.registry, row.repository, places)


def _make_place(visit: Visit, posting: Posting, today: int) -> Place:
    target = posting.state.roll_back_to
    return Place(
        posting=posting,
        strip=make_strip(posting.recent, today=today),
        command=_step_back(visit, target, posting.state.environment) if target else None,
        doubts=doubts_of(target) if target else (),
    )


def _step_back(visit: Visit, target: Published, environment: str) -> str | None:
    """The command that puts the environment's tag one step back; None where that is not known well enough."""
    tag = choose_tag(visit.rules, target, environment)
    host = visit.hosts.host(target.registry, target.host)
    commands = make_commands(Reference(target.repository, tag, target.digest, host))
    return next(iter(commands.skopeo), None)


def _find_open_violations(visit: Visit) -> tuple[Violation, ...]:
    """The newest violations to whose lines nobody has tied anything yet: no ticket, no approval, no note."""
    found = find_violations(visit.db, Filter(), Cut(_LOOKED_AT)).items
    tied = find_annotations(visit.db, [violation.seq for violation in found])
    return tuple(violation for violation in found if not tied[violation.seq])[:_VIOLATIONS]


def _blocks(visit: Visit) -> tuple[tuple[str, str], ...]:
    """For each registry what to paste; with its token only for whoever may change what the service keeps.

    So may nobody while the service is open; but then it is being tried out on this machine, and was just started.
    """
    may_have_it = visit.caller.kind == "anybody" or "admin" in visit.caller.scopes
    return tuple((name, block.secret() if may_have_it else block.public) for name, block in visit.wiring.items())


OVERVIEW: Final = Page("overview", "/", make_overview, may_be_kept=lambda view: not view.blocks)
