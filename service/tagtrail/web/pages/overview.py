"""The overview: published images, newest moves, open violations, and the wiring of the registries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, Literal

from tagtrail.config.notifications import PLACEHOLDER, BlockForm
from tagtrail.store.annotations import find_annotations
from tagtrail.store.deployments import EarlierDigest
from tagtrail.store.environments import BoardEnvironment, BoardRow, RecentPublication, find_board
from tagtrail.store.history import TagMove
from tagtrail.store.moves import find_moves
from tagtrail.store.query import Query
from tagtrail.store.releases import Violation, find_violations
from tagtrail.trail.instant import DAY, SECOND
from tagtrail.trail.names import Reference
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.filters import find_environment_choices
from tagtrail.web.paging import Paging
from tagtrail.web.wiring import RegistryWiring, find_wiring
from tagtrail.wording.rollback import choose_tag, doubts_of, make_commands

# The sparkline of the last weeks: a bar for each day on which something was published, the higher the more it was.


WEEKS: Final = 8  # in a sparkline, which has a bar for each day with a deployment
STEP: Final = 6  # units of the picture from day to day
HEIGHT: Final = 17
_LEAST: Final = 7  # height of a bar for one deployment
_MORE: Final = 3  # height for each further deployment of the day

BarKind = Literal["moved", "back", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Bars:
    """All bars of one kind as an SVG path: days with new digests, with a rollback, or with a withdrawal."""

    kind: BarKind
    path: str


def make_sparkline(recent: Sequence[RecentPublication], *, today: int) -> tuple[Bars, ...]:
    """The bars of the WEEKS weeks that end with `today` (days since 1970, UTC); `recent` is oldest first."""
    first = today - 7 * WEEKS + 1
    drawn: dict[BarKind, str] = {}
    for day, changes in groupby(recent, key=lambda each: each.occurred_at // DAY):
        directions = [change.direction for change in changes]
        if first <= day <= today:
            kind = _kind(directions)
            drawn[kind] = drawn.get(kind, "") + _bar(day - first, len(directions))
    return tuple(Bars(kind, path) for kind, path in sorted(drawn.items()))


def _kind(directions: Sequence[str | None]) -> BarKind:
    if None in directions:
        return "withdrawn"
    return "back" if "back" in directions else "moved"


def _bar(place: int, count: int) -> str:
    height = min(_LEAST + _MORE * (count - 1), HEIGHT - 1)
    return f"M{place * STEP} {HEIGHT}v-{height}h{STEP - 1}v{height}z"


_ROWS: Final = 10  # repositories on the board
_PLACES: Final = 12  # environments of each, unless the query names one repository
_MOVES: Final = 16  # that are move_groups
_TOGETHER: Final = 600 * SECOND  # moves to one digest within this time form a group
_VIOLATIONS: Final = 5
_FRESH: Final = 600 * SECOND  # how long the page reports a registry's first event
_LOOKED_AT: Final = (10, 100)  # violations that are read to find the open ones; the first number is mostly enough


@dataclass(frozen=True, slots=True)
class EnvironmentCard:
    """An environment of a repository; `command` rolls its tag back by one step, `doubts` are reasons against that."""

    posting: BoardEnvironment
    sparkline: tuple[Bars, ...]
    command: str | None
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BoardCard:
    """A repository on the board; `left_out` counts the environments that only its own query shows."""

    registry: str
    repository: str
    environments_shown: tuple[EnvironmentCard, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class MoveGroup:
    """Moves in one repository to one digest within minutes, mostly by one pipeline. The newest comes first."""

    registry: str
    repository: str
    digest: str | None
    moves: tuple[TagMove, ...]


@dataclass(frozen=True, slots=True)
class OverviewView:
    """Everything on the page. `blocks` hold, until the first event, a registry's name and what to paste into it."""

    board: tuple[BoardCard, ...]
    paging: Paging
    move_groups: tuple[MoveGroup, ...]
    violations: tuple[Violation, ...]
    wiring: tuple[RegistryWiring, ...]
    blocks: tuple[tuple[str, str], ...]
    form: BlockForm
    environments: tuple[str, ...]
    fresh: int = _FRESH


def make_overview(context: PageContext) -> OverviewView:
    """The overview; `registry`, `repository` (a glob) and `environment` filter the board."""
    query = context.query(context.filter("registry", "repository", "environment", "form"), (str, str), rows=_ROWS)
    today = context.now // DAY
    board = find_board(context.db, query, recent_since=(today - 7 * WEEKS + 1) * DAY)
    wiring = find_wiring(context.db, context.rules)
    return OverviewView(
        board=tuple(_make_card(context, row, today) for row in board.items),
        paging=Paging.of(board, context.parameters),
        move_groups=group_moves(find_moves(context.db, Query(context.rules, limit=_MOVES)).items),
        violations=_find_open_violations(context),
        wiring=wiring,
        blocks=_render_blocks(context) if not any(registry.last_seen for registry in wiring) else (),
        form=context.block_form(),
        environments=find_environment_choices(context),
    )


def _make_card(context: PageContext, row: BoardRow, today: int) -> BoardCard:
    shown = row.environments if context.parameters.get("repository") == row.repository else row.environments[:_PLACES]
    environments_shown = tuple(_make_environment(context, posting, today) for posting in shown)
    return BoardCard(row.registry, row.repository, environments_shown, len(row.environments) - len(shown))


def _make_environment(context: PageContext, posting: BoardEnvironment, today: int) -> EnvironmentCard:
    target = posting.state.roll_back_to
    return EnvironmentCard(
        posting=posting,
        sparkline=make_sparkline(posting.recent, today=today),
        command=_step_back(context, target, posting.state.environment) if target else None,
        doubts=doubts_of(target) if target else (),
    )


def _step_back(context: PageContext, target: EarlierDigest, environment: str) -> str | None:
    """The command that rolls the environment's tag back by one step; None if the host or the tag is unknown."""
    tag = choose_tag(context.rules, target, environment)
    commands = make_commands(Reference(target.repository, tag, target.digest, target.host))
    return next(iter(commands.skopeo), None)


def group_moves(moves: Iterable[TagMove]) -> tuple[MoveGroup, ...]:
    """The moves, newest first, with consecutive moves to the same digest grouped."""
    found: list[MoveGroup] = []
    for move in moves:
        last = found[-1] if found else None
        if last and _belongs(move, last):
            found[-1] = replace(last, moves=(*last.moves, move))
        else:
            found.append(MoveGroup(move.registry, move.repository, move.digest, (move,)))
    return tuple(found)


def _belongs(move: TagMove, to: MoveGroup) -> bool:
    is_same = (move.registry, move.repository, move.digest) == (to.registry, to.repository, to.digest)
    return is_same and to.moves[0].at - move.at <= _TOGETHER


def _find_open_violations(context: PageContext) -> tuple[Violation, ...]:
    """The newest violations without an annotation: no ticket, no approval, no note."""
    still_open: list[Violation] = []
    for most in _LOOKED_AT:
        page = find_violations(context.db, Query(context.rules, limit=most))
        tied = find_annotations(context.db, [violation.seq for violation in page.items])
        still_open = [violation for violation in page.items if not tied[violation.seq]][:_VIOLATIONS]
        if len(still_open) == _VIOLATIONS or page.after is None:
            break
    return tuple(still_open)


def _render_blocks(context: PageContext) -> tuple[tuple[str, str], ...]:
    """The settings for each registry, with its token only for a caller who may change what the service keeps.

    In an open service every caller gets the token: the service listens on this machine only and was just started.
    """
    may_see_tokens = context.caller.kind == "anonymous" or "admin" in context.caller.scopes
    token, form = None if may_see_tokens else PLACEHOLDER, context.block_form()
    return tuple((name, render(form=form, token=token)) for name, render in context.blocks.items())


OVERVIEW: Final = WebPage("overview", "/", make_overview, may_be_cached=lambda view: not view.blocks)
