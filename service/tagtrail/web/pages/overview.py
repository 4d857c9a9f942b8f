"""The overview: what is published now, what moved last, what is wrong, and whether the registries are wired."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, Literal

from tagtrail.config.notifications import PLACEHOLDER, BlockForm
from tagtrail.store.annotations import find_annotations
from tagtrail.store.answers import Violation
from tagtrail.store.deployments import EarlierDigest
from tagtrail.store.environments import BoardEnvironment, BoardRow, RecentPublication, find_board
from tagtrail.store.history import TagMove
from tagtrail.store.moves import find_moves
from tagtrail.store.query import Query
from tagtrail.store.releases import find_violations
from tagtrail.trail.instant import DAY, SECOND
from tagtrail.trail.names import Reference
from tagtrail.web.context import Page, Visit
from tagtrail.web.filters import find_environment_choices
from tagtrail.web.paging import Paging
from tagtrail.web.wiring import Wired, find_wired
from tagtrail.wording.rollback import choose_tag, doubts_of, make_commands

# The strip of the last weeks: a bar for each day on which something was published, the higher the more it was.


WEEKS: Final = 8
STEP: Final = 6  # units of the picture from day to day
HEIGHT: Final = 17
_LEAST: Final = 7  # of a bar; each further change of the day adds
_MORE: Final = 3

Kind = Literal["moved", "back", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Bars:
    """All bars of one kind as the path of an SVG picture: days that went on, that also went back, or withdrew."""

    kind: Kind
    path: str


def make_strip(recent: Sequence[RecentPublication], *, today: int) -> tuple[Bars, ...]:
    """The bars of WEEKS weeks until `today` (days since 1970), by UTC days; `recent` is oldest first."""
    first = today - 7 * WEEKS + 1
    drawn: dict[Kind, str] = {}
    for day, changes in groupby(recent, key=lambda each: each.occurred_at // DAY):
        directions = [change.direction for change in changes]
        if first <= day <= today:
            kind = _kind(directions)
            drawn[kind] = drawn.get(kind, "") + _bar(day - first, len(directions))
    return tuple(Bars(kind, path) for kind, path in sorted(drawn.items()))


def _kind(directions: Sequence[str | None]) -> Kind:
    if None in directions:
        return "withdrawn"
    return "back" if "back" in directions else "moved"


def _bar(place: int, count: int) -> str:
    height = min(_LEAST + _MORE * (count - 1), HEIGHT - 1)
    return f"M{place * STEP} {HEIGHT}v-{height}h{STEP - 1}v{height}z"


_ROWS: Final = 10  # repositories on the board
_PLACES: Final = 12  # environments of each, while several repositories are asked for
_MOVES: Final = 16  # that are gathered
_TOGETHER: Final = 600 * SECOND  # in which moves to one digest are told together
_VIOLATIONS: Final = 5
_FRESH: Final = 600 * SECOND  # in which it is said that a registry's first event has arrived
_LOOKED_AT: Final = (10, 100)  # violations, for those to which nothing was tied: most often the first will do


@dataclass(frozen=True, slots=True)
class Place:
    """An environment of a repository on the board; `command` puts its tag one step back, `doubts` speak against it."""

    posting: BoardEnvironment
    strip: tuple[Bars, ...]
    command: str | None
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A repository on the board; `left_out` counts the environments that are shown when it is asked for by its name."""

    registry: str
    repository: str
    places: tuple[Place, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """Moves in one repository to one digest, soon after each other: mostly of one pipeline. The newest comes first."""

    registry: str
    repository: str
    digest: str | None
    moves: tuple[TagMove, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the page. `blocks` hold, until the first event, a registry's name and what to paste into it."""

    board: tuple[Row, ...]
    paging: Paging
    gathered: tuple[Gathered, ...]
    violations: tuple[Violation, ...]
    wired: tuple[Wired, ...]
    blocks: tuple[tuple[str, str], ...]
    form: BlockForm
    environments: tuple[str, ...]
    fresh: int = _FRESH


def make_overview(visit: Visit) -> Overview:
    """The overview; the board narrowed by `registry`, `repository` (a glob) and `environment`."""
    query = visit.query(visit.filter("registry", "repository", "environment", "form"), (str, str), rows=_ROWS)
    today = visit.now // DAY
    board = find_board(visit.db, query, recent_since=(today - 7 * WEEKS + 1) * DAY)
    wired = find_wired(visit.db, visit.rules)
    return Overview(
        board=tuple(_make_row(visit, row, today) for row in board.items),
        paging=Paging.of(board, visit.parameters),
        gathered=gather(find_moves(visit.db, Query(visit.rules, limit=_MOVES)).items),
        violations=_find_open_violations(visit),
        wired=wired,
        blocks=_render_blocks(visit) if not any(registry.last_seen_at for registry in wired) else (),
        form=visit.block_form(),
        environments=find_environment_choices(visit),
    )


def _make_row(visit: Visit, row: BoardRow, today: int) -> Row:
    shown = row.environments if visit.parameters.get("repository") == row.repository else row.environments[:_PLACES]
    places = tuple(_make_place(visit, posting, today) for posting in shown)
    return Row(row.registry, row.repository, places, len(row.environments) - len(shown))


def _make_place(visit: Visit, posting: BoardEnvironment, today: int) -> Place:
    target = posting.state.roll_back_to
    return Place(
        posting=posting,
        strip=make_strip(posting.recent, today=today),
        command=_step_back(visit, target, posting.state.environment) if target else None,
        doubts=doubts_of(target) if target else (),
    )


def _step_back(visit: Visit, target: EarlierDigest, environment: str) -> str | None:
    """The command that puts the environment's tag one step back; None where that is not known well enough."""
    tag = choose_tag(visit.rules, target, environment)
    commands = make_commands(Reference(target.repository, tag, target.digest, target.host))
    return next(iter(commands.skopeo), None)


def gather(moves: Iterable[TagMove]) -> tuple[Gathered, ...]:
    """Neighbours in the list, newest first, that tell of the same digest within minutes."""
    found: list[Gathered] = []
    for move in moves:
        last = found[-1] if found else None
        if last and _belongs(move, last):
            found[-1] = replace(last, moves=(*last.moves, move))
        else:
            found.append(Gathered(move.registry, move.repository, move.digest, (move,)))
    return tuple(found)


def _belongs(move: TagMove, to: Gathered) -> bool:
    is_same = (move.registry, move.repository, move.digest) == (to.registry, to.repository, to.digest)
    return is_same and to.moves[0].at - move.at <= _TOGETHER


def _find_open_violations(visit: Visit) -> tuple[Violation, ...]:
    """The newest violations to whose lines nobody has tied anything yet: no ticket, no approval, no note."""
    still_open: list[Violation] = []
    for most in _LOOKED_AT:
        page = find_violations(visit.db, Query(visit.rules, limit=most))
        tied = find_annotations(visit.db, [violation.seq for violation in page.items])
        still_open = [violation for violation in page.items if not tied[violation.seq]][:_VIOLATIONS]
        if len(still_open) == _VIOLATIONS or page.after is None:
            break
    return tuple(still_open)


def _render_blocks(visit: Visit) -> tuple[tuple[str, str], ...]:
    """The settings for each registry, with its token only for a caller who may change what the service keeps.

    In an open service every caller gets the token: the service listens on this machine only and was just started.
    """
    may_see_tokens = visit.caller.kind == "anybody" or "admin" in visit.caller.scopes
    token, form = None if may_see_tokens else PLACEHOLDER, visit.block_form()
    return tuple((name, render(form=form, token=token)) for name, render in visit.wiring.items())


OVERVIEW: Final = Page("overview", "/", make_overview, may_be_kept=lambda view: not view.blocks)
