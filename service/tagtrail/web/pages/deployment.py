"""One deployment: the digests before and after it, the lines that prove it, and how to roll back."""

from dataclasses import dataclass
from typing import Final

from tagtrail.errors import NotRecorded
from tagtrail.store.annotations import RecordedAnnotation, find_annotations
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
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.line_text import ShownLine, show_lines
from tagtrail.wording.rollback import RollbackPlan, choose_tag, plan_rollback

_MOST_LINES: Final = 20  # of the evidence


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment. `last_time` is the environment's earlier deployment of the same digest, `following` the next one.

    `back` is the rollback from this deployment to an earlier one. `again` is the rollback to this deployment, if
    another one has followed.
    """

    deployment: RecordedDeployment
    last_time: EarlierDigest | None
    following: Following | None
    evidence: tuple[ShownLine, ...]
    lines_left_out: int
    annotations: tuple[RecordedAnnotation, ...]
    back: RollbackPlan | None
    again: RollbackPlan | None


def make_deployment(context: PageContext, *, seq: int, environment: str) -> DeploymentView:
    """The deployment that the line made for the environment. Raises NotRecorded."""
    context.filter()
    found = get_deployment(context.db, seq, context.rules, environment) if seq <= get_last_seq(context.db) else None
    if found is None:
        raise NotRecorded(f"line {str(seq)[:20]} is no deployment to {environment[:80]}")
    key, deployment = found
    following = find_next(context.db, key)
    target = find_roll_back(context.db, key, context.rules)
    lines = _with_own_line(deployment, deployment.lines[-_MOST_LINES:])
    return DeploymentView(
        deployment=deployment,
        last_time=find_last_time(context.db, key, context.rules),
        following=following,
        evidence=tuple(show_lines(context, get_entries(context.db, lines, context.rules))),
        lines_left_out=len(deployment.lines) - len(lines),
        annotations=tuple(find_annotations(context.db, [seq])[seq]),
        back=_make_way(context, environment, target) if target else None,
        again=_make_way_again(context, key, following) if following else None,
    )


def _with_own_line(deployment: RecordedDeployment, evidence: tuple[int, ...]) -> tuple[int, ...]:
    """The evidence always contains the deployment's own line."""
    return evidence if deployment.seq in evidence else (*evidence[1:], deployment.seq)


def _make_way_again(context: PageContext, key: Key, following: Following) -> RollbackPlan:
    """The rollback to this deployment from the one that followed it."""
    rolled_back = following.direction == "back"
    target = find_published(context.db, key, context.rules, Releases(context.db), rolled_back=rolled_back)
    return _make_way(context, str(key[2]), target)


def _make_way(context: PageContext, environment: str, target: EarlierDigest) -> RollbackPlan:
    return plan_rollback(context.db, target, tag=choose_tag(context.rules, target, environment))


DEPLOYMENT: Final = WebPage("deployment", "/deployments/<int:seq>/<environment>", make_deployment)
