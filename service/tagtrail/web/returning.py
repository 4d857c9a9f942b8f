"""How an environment's tag is made to name an earlier digest again: shown to a person, never done by tagtrail."""

from dataclasses import dataclass

from tagtrail.errors import NotRecorded
from tagtrail.store.answers import Filter, Published
from tagtrail.store.questions.digests import get_digest
from tagtrail.trail.commands import Commands, is_clear, make_commands
from tagtrail.trail.names import Reference
from tagtrail.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Return:
    """The way to a deployment's digest. `tag` is None where the environment has no tag there any more.

    `is_clear` tells whether tools would take the host for one; `is_index` that docker would push one platform alone.
    """

    target: Published
    tag: str | None
    reference: str
    commands: Commands
    is_clear: bool
    is_index: bool


def make_return(visit: Visit, environment: str, target: Published) -> Return:
    """The way of the environment to the target."""
    rule = visit.rules.environments_in(target.registry, target.repository).get(environment)
    host = visit.hosts.host(target.registry, target.host)
    tag = rule.tag if rule else None
    return Return(
        target=target,
        tag=tag,
        reference=str(Reference(target.repository, digest=target.digest, host=host)),
        commands=make_commands(Reference(target.repository, tag, target.digest, host)),
        is_clear=is_clear(host),
        is_index=_is_index(visit, target),
    )


def _is_index(visit: Visit, target: Published) -> bool:
    asked = Filter(registry=target.registry, repository=target.repository, digest=target.digest)
    try:
        answer = get_digest(visit.db, asked, limit=1)
    except NotRecorded:
        return False
    return bool(answer.platforms) or any("index" in (held.media_type or "") for held in answer.held)
