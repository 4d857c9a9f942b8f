"""How a tag is made to name an earlier digest again: the commands for it, and what speaks against them."""

from dataclasses import dataclass
from typing import Final

from tagtrail.audit.naming import Hosts
from tagtrail.store.answers import Filter, Published
from tagtrail.store.database import Connection
from tagtrail.store.questions.digests import get_digest
from tagtrail.trail.commands import Commands, is_clear, make_commands
from tagtrail.trail.names import Reference
from tagtrail.trail.rules import Rules

_ROLLED_BACK: Final = "Think twice: it was itself left by going back to an earlier one."
_DELETED: Final = "Think twice: the registry has reported its deletion since."
_INDEX: Final = "It is a multi-platform image: docker would push your own platform alone, under another digest."
_UNCLEAR: Final = (
    "No commands: without a host that has a dot or a port, tools would look for the image elsewhere."
    " Set the `host` of registry {} in the configuration."
)


@dataclass(frozen=True, slots=True)
class WayBack:
    """How to go back to `target`: `pinned` is its reference, `tag` the one to put back (None: no rule names one).

    `doubts` are sentences for whoever is about to do it, `docker_doubt` is one for whoever would do it with docker.
    `obstacle` says why there are no commands: the registry's host is not known well enough.
    """

    target: Published
    pinned: str
    tag: str | None
    commands: Commands
    doubts: tuple[str, ...]
    docker_doubt: str | None
    obstacle: str | None


def make_way_back(db: Connection, hosts: Hosts, target: Published, *, tag: str | None) -> WayBack:
    """The way back to what was published before, under this tag."""
    host = hosts.host(target.registry, target.host)
    return WayBack(
        target=target,
        pinned=str(Reference(target.repository, digest=target.digest, host=host)),
        tag=tag,
        commands=make_commands(Reference(target.repository, tag, target.digest, host)),
        doubts=doubts_of(target),
        docker_doubt=_INDEX if _is_index(db, target) else None,
        obstacle=None if is_clear(host) else _UNCLEAR.format(target.registry),
    )


def doubts_of(target: Published) -> tuple[str, ...]:
    """What speaks against going back to it, in sentences."""
    doubts = [(target.was_rolled_back, _ROLLED_BACK), (target.was_deleted, _DELETED)]
    return tuple(said for holds, said in doubts if holds)


def choose_tag(rules: Rules, target: Published, environment: str) -> str | None:
    """The tag that means the environment in the target's repository; None where no rule in force names one."""
    rule = rules.environments_in(target.registry, target.repository).get(environment)
    return rule.tag if rule else None


def _is_index(db: Connection, target: Published) -> bool:
    asked = Filter(registry=target.registry, repository=target.repository, digest=target.digest)
    answer = get_digest(db, asked, limit=1)
    return bool(answer.platforms) or any("index" in (held.media_type or "") for held in answer.held)
