"""A rollback plan: the commands that point a tag to an earlier digest again, and warnings.

tagtrail shows the commands and never runs them.
"""

import shlex
from dataclasses import dataclass
from typing import Final

from tagtrail.store.database import Connection
from tagtrail.store.deployments import EarlierDigest
from tagtrail.store.digests import is_index
from tagtrail.store.query import Filter
from tagtrail.trail.names import Reference, is_loopback
from tagtrail.trail.rules import Rules

_ROLLED_BACK: Final = "Think twice: it was itself left by going back to an earlier one."
_DELETED: Final = "Think twice: the registry has reported its deletion since."
_INDEX: Final = "It is a multi-platform image: docker would push your own platform alone, under another digest."
_UNCLEAR: Final = (
    "No commands: without a host that has a dot or a port, tools would look for the image elsewhere."
    " Set the `host` of registry {} in the configuration."
)


@dataclass(frozen=True, slots=True)
class Commands:
    """Shell commands that roll an environment's tag back, one list for each tool; one list is enough."""

    skopeo: tuple[str, ...]
    crane: tuple[str, ...]
    docker: tuple[str, ...]


def make_commands(image: Reference) -> Commands:
    """The commands that point the tag of a reference to its digest again; only the pull if it has no tag.

    None for a host that tools would not take for a host: they would look for the image in their default registry.
    `--all` and `--preserve-digests` keep a multi-platform image whole and its digest unchanged (skopeo-copy(1)). A
    registry on loopback is assumed to speak plain HTTP, for which skopeo needs an option.
    """
    if not is_clear(image.host):
        return Commands((), (), ())
    pinned = shlex.quote(str(Reference(image.repository, digest=image.digest, host=image.host)))
    pull = f"docker pull {pinned}"
    if image.tag is None:
        return Commands(skopeo=(), crane=(), docker=(pull,))
    tagged = shlex.quote(str(Reference(image.repository, image.tag, host=image.host)))
    plain = " --src-tls-verify=false --dest-tls-verify=false" if image.host and is_loopback(image.host) else ""
    return Commands(
        skopeo=(f"skopeo copy --all --preserve-digests{plain} docker://{pinned} docker://{tagged}",),
        crane=(f"crane tag {pinned} {shlex.quote(image.tag)}",),
        docker=(pull, f"docker image tag {pinned} {tagged}", f"docker image push {tagged}"),
    )


def is_clear(host: str | None) -> bool:
    """Whether tools take it for a host, by the rule of the Docker reference grammar ("normalize")."""
    return host is not None and (host == "localhost" or "." in host or ":" in host)


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """How to roll back to `target`: `pinned` is its reference, `tag` the tag to move back (None: no rule names one).

    `doubts` are warnings before a rollback, `docker_doubt` is one about docker. `obstacle` says why there are no
    commands: the registry's host is not known well enough.
    """

    target: EarlierDigest
    pinned: str
    tag: str | None
    commands: Commands
    doubts: tuple[str, ...]
    docker_doubt: str | None
    obstacle: str | None


def plan_rollback(db: Connection, target: EarlierDigest, *, tag: str | None) -> RollbackPlan:
    """The plan of the rollback to the earlier digest, under this tag."""
    host = target.host
    return RollbackPlan(
        target=target,
        pinned=str(Reference(target.repository, digest=target.digest, host=host)),
        tag=tag,
        commands=make_commands(Reference(target.repository, tag, target.digest, host)),
        doubts=doubts_of(target),
        docker_doubt=_INDEX if _is_index(db, target) else None,
        obstacle=None if is_clear(host) else _UNCLEAR.format(target.registry),
    )


def doubts_of(target: EarlierDigest) -> tuple[str, ...]:
    """Warnings against the rollback, as sentences."""
    doubts = [(target.rolled_back, _ROLLED_BACK), (target.deleted, _DELETED)]
    return tuple(said for holds, said in doubts if holds)


def choose_tag(rules: Rules, target: EarlierDigest, environment: str) -> str | None:
    """The tag that means the environment in the target's repository; None if no rule in force names one."""
    rule = rules.environments_in(target.registry, target.repository).get(environment)
    return rule.tag if rule else None


def _is_index(db: Connection, target: EarlierDigest) -> bool:
    return is_index(db, Filter(registry=target.registry, repository=target.repository, digest=target.digest))
