"""Resolves a pipeline's reference to an image in the trail, or raises a sentence that states what the trail knows."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Final

from tagtrail.errors import Refused
from tagtrail.store.database import Connection
from tagtrail.store.images import find_called_host, find_hosts, find_known_tag, find_recent_tags, had_digest, was_pushed
from tagtrail.store.names import Repository, find_repositories, iterate_repositories
from tagtrail.store.query import Filter
from tagtrail.trail.names import Reference
from tagtrail.trail.rules import Rules

_MOST_COMPARED: Final = 2_000  # repositories to search for a similar name


@dataclass(frozen=True, slots=True)
class Image:
    """A digest in a known repository, with the registry's host."""

    repository: Repository
    tag: str | None
    digest: str
    host: str | None


def find_registries(db: Connection, rules: Rules, reference: Reference, named: str | None) -> list[str]:
    """The registries that the reference can mean, by name. Raises Refused if there is none."""
    hosts = _hosts_of(db, rules)
    if named is not None and named not in hosts:
        raise Refused(f"there is no registry {named}; there is {_listed(hosts)}")
    meant = sorted(hosts) if named is None else [named]
    if reference.host is None:
        return meant
    fitting = [registry for registry in meant if reference.host.lower() in hosts[registry]]
    if not fitting:
        known = _listed({host for registry in meant for host in hosts[registry]})
        raise Refused(f"no registry is known as {reference.host}; known is {known}")
    return fitting


def find_image(
    db: Connection, rules: Rules, reference: Reference, *, registries: Iterable[str], environment: str
) -> Image:
    """The image that the reference means in the environment. Raises Refused."""
    repository = _find_repository(db, reference.repository, set(registries))
    _check_environment(rules, repository, environment)
    return Image(
        repository=repository,
        tag=reference.tag,
        digest=_find_digest(db, repository, reference),
        host=reference.host or find_called_host(db, repository.id),
    )


def _hosts_of(db: Connection, rules: Rules) -> dict[str, set[str]]:
    """The hosts of each registry: the configured ones, or else those that clients used."""
    hosts = {registry: {host.lower() for host in called if host} for registry, called in find_hosts(db).items()}
    for registry in rules.registries:
        configured = {host.lower() for host in (registry.host, *registry.aliases) if host}
        hosts[registry.name] = configured if registry.host else configured | hosts.get(registry.name, set())
    return hosts


def _find_repository(db: Connection, name: str, registries: set[str]) -> Repository:
    found = [each for each in find_repositories(db, Filter(repository=name)) if each.registry in registries]
    if len(found) > 1:
        raise Refused(f"{name} is in several registries, {_listed(each.registry for each in found)}; name the registry")
    if not found:
        known = {each.name for each in islice(iterate_repositories(db, Filter()), _MOST_COMPARED)}
        close = get_close_matches(name, known, n=3)
        raise Refused(f"the trail knows no repository {name}" + (f"; it knows {_listed(close)}" if close else ""))
    return found[0]


def _check_environment(rules: Rules, repository: Repository, environment: str) -> None:
    there = rules.environments_in(repository.registry, repository.name)
    if environment not in there:
        raise Refused(f"{environment} is no environment of {repository.name}; there is {_listed(there)}")


def _find_digest(db: Connection, repository: Repository, reference: Reference) -> str:
    if reference.tag is not None:
        return _find_tagged(db, repository, reference.tag, reference.digest)
    digest = reference.digest or ""
    if not was_pushed(db, repository.id, digest):
        raise Refused(f"the trail knows no push of {digest} to {repository.name}")
    return digest


def _find_tagged(db: Connection, repository: Repository, tag: str, digest: str | None) -> str:
    """The tag's digest, or the given digest if the tag ever pointed to it."""
    known = find_known_tag(db, repository.id, tag)
    if known is None or not known.named:
        recent = find_recent_tags(db, repository.id)
        raise Refused(f"the trail knows no tag {tag} in {repository.name}; tags pushed lately are {_listed(recent)}")
    if digest is None and known.digest is None:
        raise Refused(f"the tag {tag} of {repository.name} was deleted; it named {known.named[0]} last")
    if digest is not None and not had_digest(db, repository.id, tag, digest):
        now = known.digest or "nothing, it was deleted"
        earlier = [each for each in known.named if each != known.digest]
        before = f", and before that {_listed(earlier)}" if earlier else ""
        raise Refused(f"the tag {tag} of {repository.name} never named {digest}; it names {now}{before}")
    return digest or known.digest or ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names) if not isinstance(names, list) else names) or "none"
