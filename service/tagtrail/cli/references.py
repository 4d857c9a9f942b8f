"""Read the references that people type or paste, and find the registry and repository that they mean."""

from collections.abc import Collection
from dataclasses import dataclass

from tagtrail.cli.query import TrailQuery
from tagtrail.errors import BadParameter, NotRecorded, Refused
from tagtrail.ledger.resolve import find_registries
from tagtrail.store.names import find_repositories, is_glob
from tagtrail.store.query import Filter
from tagtrail.trail.names import Reference, is_tag, parse_reference

PARAMETER = "reference"


@dataclass(frozen=True, slots=True)
class Subject:
    """A repository of one registry that the trail knows, with the tag or digest that was named."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        return str(Reference(self.repository, self.tag, self.digest))


def read_reference(text: str) -> Reference:
    """The parts of `[host/]repository[:tag][@digest]`. Raises BadParameter."""
    try:
        return parse_reference(text.strip())
    except ValueError as error:
        form = "write [host/]repository[:tag][@digest], such as team/app:1.0"
        raise BadParameter(PARAMETER, f"{error}; {form}") from None


def find_subject(query: TrailQuery, text: str) -> Subject:
    """The repository, tag and digest that a reference names, in the one registry that has the repository.

    The reference's host and `--registry` choose among registries. Raises BadParameter for a text that is no reference
    and where several registries have the repository; NotRecorded where none has it.
    """
    reference = read_reference(text)
    having = _find_having(query, reference)
    if len(having) > 1:
        choices = ", ".join(having)
        raise BadParameter(
            PARAMETER, f"{reference.repository} is in several registries; choose one with --registry: {choices}"
        )
    return Subject(having[0], reference.repository, reference.tag, reference.digest)


def find_environment(query: TrailQuery, text: str) -> tuple[Subject, str]:
    """The repository and the environment that `[host/]repository@environment` names. Raises as `find_subject`."""
    name, at, environment = text.strip().rpartition("@")
    if not at or not is_environment(text):
        raise BadParameter(PARAMETER, f"{text[:80]!r} is no repository@environment, such as team/app@production")
    return find_subject(query, name), environment


def is_environment(text: str) -> bool:
    """Whether the text has the form `[host/]repository@environment`: no digest follows the @."""
    name, at, environment = text.strip().rpartition("@")
    return bool(at) and is_tag(environment) and ":" not in name.rpartition("/")[2]


def narrow(query: TrailQuery, text: str) -> TrailQuery:
    """The query narrowed to `[host/]repository[:tag]`, or to the repositories that match a glob.

    Raises as `find_subject`, but a list may have rows of several registries.
    """
    if is_glob(text):
        return query.narrowed(repository=text)
    reference = read_reference(text)
    if reference.digest is not None:
        raise BadParameter(PARAMETER, f"{text[:80]!r} has a digest; `tagtrail digest` shows which tags named it")
    having = _find_having(query, reference)
    changes = {"repository": reference.repository, "registry": having[0] if len(having) == 1 else None}
    return query.narrowed(**changes, **({"tag": reference.tag} if reference.tag else {}))


def _find_having(query: TrailQuery, reference: Reference) -> list[str]:
    """The registries that have the repository, among those that the host and `--registry` allow: at least one."""
    db = query.trail.store.reader()
    allowed: Collection[str]
    try:
        allowed = find_registries(db, query.trail.rules, reference, query.filter.registry)
    except Refused as error:
        raise NotRecorded(str(error)) from None
    having = [each.registry for each in find_repositories(db, Filter(repository=reference.repository))]
    found = [registry for registry in having if registry in allowed]
    if not found:
        there = f" in registry {', '.join(allowed)}" if reference.host or query.filter.registry else ""
        raise NotRecorded(f"the trail knows no repository {reference.repository}{there}")
    return found
