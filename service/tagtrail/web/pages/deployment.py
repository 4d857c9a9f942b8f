"""One deployment: what was there before and after, what it rests on, and how to go back."""

from dataclasses import dataclass
from typing import Final

from tagtrail.errors import NotRecorded
from tagtrail.store.annotations import find_annotations
from tagtrail.store.answers import Annotated
from tagtrail.store.deployments import (
    EarlierDigest,
    Following,
    RecordedDeployment,
    find_last_time,
    find_next,
    find_published,
    get_deployment,
)
from tagtrail.store.entries import get_entries
from tagtrail.store.environments import find_roll_back
from tagtrail.store.lines import get_last_seq
from tagtrail.store.query import Key
from tagtrail.store.releases import Releases
from tagtrail.web.context import Page, Visit
from tagtrail.web.line_text import Told, tell
from tagtrail.wording.rollback import WayBack, choose_tag, make_way_back

_MOST_LINES: Final = 20  # of the evidence that are told


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment. `last_time` is when its environment had the digest before, if it did; `following` what came after.

    `back` leads from it to an earlier one, `again` to it, where something else has followed.
    """

    deployment: RecordedDeployment
    last_time: EarlierDigest | None
    following: Following | None
    evidence: tuple[Told, ...]
    lines_left_out: int
    annotations: tuple[Annotated, ...]
    back: WayBack | None
    again: WayBack | None


def make_deployment(visit: Visit, *, seq: int, environment: str) -> DeploymentView:
    """The deployment that the line made for the environment. Raises NotRecorded."""
    visit.filter()
    found = get_deployment(visit.db, seq, visit.rules, environment) if seq <= get_last_seq(visit.db) else None
    if found is None:
        raise NotRecorded(f"line {str(seq)[:20]} is no deployment to {environment[:80]}")
    key, deployment = found
    following = find_next(visit.db, key)
    target = find_roll_back(visit.db, key, visit.rules)
    told = deployment.lines[-_MOST_LINES:]
    return DeploymentView(
        deployment=deployment,
        last_time=find_last_time(visit.db, key, visit.rules),
        following=following,
        evidence=tuple(tell(visit, get_entries(visit.db, _with_own(deployment, told)))),
        lines_left_out=len(deployment.lines) - len(told),
        annotations=tuple(find_annotations(visit.db, [seq])[seq]),
        back=_make_way(visit, environment, target) if target else None,
        again=_make_way_again(visit, key, following) if following else None,
    )


def _with_own(deployment: RecordedDeployment, told: tuple[int, ...]) -> tuple[int, ...]:
    """Its own line is told whichever others are left out."""
    return told if deployment.seq in told else (*told[1:], deployment.seq)


def _make_way_again(visit: Visit, key: Key, following: Following) -> WayBack:
    """The way back to this deployment, from whatever followed it."""
    target = find_published(visit.db, key, visit.rules, Releases(visit.db), rolled_back=following.direction == "back")
    return _make_way(visit, str(key[2]), target)


def _make_way(visit: Visit, environment: str, target: EarlierDigest) -> WayBack:
    return make_way_back(visit.db, target, tag=choose_tag(visit.rules, target, environment))


DEPLOYMENT: Final = Page("deployment", "/deployments/<int:seq>/<environment>", make_deployment)
