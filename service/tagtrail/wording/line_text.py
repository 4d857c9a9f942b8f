"""A line of the ledger as a sentence, in parts: `team/app:prod | moved back to | 1.0.0 | sha256:5208e615ff04 ...`.

The command line and the pages show the same parts, each in its own way.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tagtrail.ledger.prune import RAW
from tagtrail.ledger.rulebook import rules_of
from tagtrail.line import Entry
from tagtrail.store.annotations import RecordedAnnotation
from tagtrail.store.database import Connection
from tagtrail.store.entries import LoggedEntry, TagChange
from tagtrail.store.names import Repository, find_manifest_ids, find_repositories
from tagtrail.store.query import Filter
from tagtrail.store.releases import Releases
from tagtrail.trail.instant import parse_instant
from tagtrail.wording.clauses import MOVE_WORDS, Clause, LinkTarget, Part, Style
from tagtrail.wording.text import counted, listed, size, visible

VIOLATION: Final = "VIOLATION: a release tag never moves"
_READINGS: Final = ("json", "csv", "ndjson", "html")  # formats of `exported` lines about a reading

_MOST_ANNOTATIONS = 5  # shown beside a line
_MOST_CHANGES = 5  # tags named of a delete that took many
_REMEMBERED = 10_000
_PLAIN = {
    "observed": "observed",
    "gap_opened": "a gap in the record began",
    "gap_closed": "a gap in the record ended",
    "key": "the signing key was changed",
}


class ReleaseTags:
    """The release tags of the digests that a log's sentences name; `reader` gives the connection to ask."""

    def __init__(self, reader: Callable[[], Connection]) -> None:
        self._reader = reader
        self.of = lru_cache(maxsize=_REMEMBERED)(self._find)
        self._within = lru_cache(maxsize=_REMEMBERED)(self._find_repositories)

    def _find(self, registry: str, repository: str, digest: str, at: int) -> tuple[str, ...]:
        """Those that named the digest at the instant or after it: they may arrive a second later."""
        db = self._reader()
        manifests = find_manifest_ids(db, digest, self._within(registry, repository))
        return tuple(
            dict.fromkeys(named.tag for manifest in manifests for named in Releases(db).during(manifest, at, None))
        )

    def _find_repositories(self, registry: str, repository: str) -> tuple[Repository, ...]:
        return tuple(find_repositories(self._reader(), Filter(registry=registry, repository=repository)))


@dataclass(frozen=True, slots=True)
class LineText:
    """Describes lines of the ledger in words; names people only if `names_people`."""

    style: Style
    releases: ReleaseTags
    names_people: bool = True

    def describe(self, logged: LoggedEntry) -> list[Clause]:
        """The clauses of one line, the most important first."""
        entry = logged.entry
        clauses = self._about_image(entry, logged) if entry.repository else self._about_service(entry)
        tied: list[Clause] = [
            (Part(annotation(annotated), "tied", seq=annotated.seq),)
            for annotated in logged.annotations[-_MOST_ANNOTATIONS:]
        ]
        return [*clauses, *tied, *(_whom(entry, logged) if self.names_people else [])]

    def _about_image(self, entry: Entry, logged: LoggedEntry) -> Iterator[Clause]:
        tag = entry.tag or (logged.changes[0].tag if len(logged.changes) == 1 else None)
        shown = self.style.name(entry.registry or "", entry.host, entry.repository or "", tag, entry.digest)
        yield (Part(shown, "image", _named(entry, tag=tag, digest=None if tag else entry.digest)),)
        match entry.kind:
            case "push":
                yield self._push(entry, logged)
            case "delete":
                yield self._delete(entry, logged)
            case "deployment":
                yield self._deployment(entry)
            case _:
                yield (Part(_PLAIN.get(entry.kind, entry.kind)),)
        if entry.kind != "deployment" and logged.environments:
            verb = "withdrawn from" if entry.kind == "delete" else "published for"
            yield (Part(f"{verb} {listed(logged.environments)}", "published"),)
        if any(change.violation for change in logged.changes):
            yield (Part(VIOLATION, "violation"),)

    def _push(self, entry: Entry, logged: LoggedEntry) -> Clause:
        if entry.tag is None:
            return (Part(f"pushed without a tag{_platforms(entry)}"),)
        if not logged.changes:
            return (Part("pushed again, no move: "), *self._digest(entry, entry.digest or ""))
        return self._move(entry, logged.changes[0])

    def _move(self, entry: Entry, change: TagChange) -> Clause:
        parts = [Part(MOVE_WORDS[change.kind], change.kind)]
        if change.digest is not None and (to := self._digest_now(entry, change.digest)):
            parts += [Part(" as " if change.kind == "created" else " to "), *to]
        if change.previous_digest is not None:
            parts += [Part(" (was "), *self._digest(entry, change.previous_digest), Part(")")]
        return tuple(parts)

    def _delete(self, entry: Entry, logged: LoggedEntry) -> Clause:
        changes = logged.changes
        if not changes:
            return (Part("deleted, no tag pointed there" if entry.tag is None else "already deleted"),)
        if len(changes) == 1:
            return self._move(entry, changes[0])
        return (Part("deleted", "deleted"), Part(f": {_tags(changes)}"))

    def _deployment(self, entry: Entry) -> Clause:
        parts = [Part(f"deployed to {visible(entry.environment or '')}", "published")]
        if named := self._digest_now(entry, entry.digest or ""):
            parts += [Part(" as "), *named]
        return (*parts, Part(f" for {visible(entry.change)}")) if entry.change else tuple(parts)

    def _digest(self, entry: Entry, digest: str) -> Clause:
        """A digest with the release tags that named it."""
        shown = Part(self.style.digest(digest), "digest", _named(entry, digest=digest))
        names = self._release_tags(entry, digest)
        return (*names, Part(" "), shown) if names else (shown,)

    def _digest_now(self, entry: Entry, digest: str) -> Clause:
        """The same, without the digest where the image's reference before it has it."""
        return self._release_tags(entry, digest) if self.style.is_whole else self._digest(entry, digest)

    def _release_tags(self, entry: Entry, digest: str) -> Clause:
        at = parse_instant(entry.occurred or entry.at)
        tags = self.releases.of(entry.registry or "", entry.repository or "", digest, at)
        others = [tag for tag in tags if tag != entry.tag]
        alone = _named(entry, tag=others[0]) if len(others) == 1 else None
        return (Part(listed(others), "tag", alone),) if others else ()

    def _about_service(self, entry: Entry) -> Iterator[Clause]:
        registry = visible(entry.registry or "")
        match entry.kind:
            case "registry":
                host = f", called {visible(entry.host)}" if entry.host else ""
                instance = visible(entry.instance or "unnamed")
                yield (Part(f"registry {registry} was heard of{host}, instance {instance}"),)
            case "quarantined":
                amount = f" ({size(entry.size)})" if entry.size is not None else ""
                rest = Part(f" from registry {registry}{amount}: {_reason(entry)}")
                yield (Part("quarantined", "quarantined"), rest)
            case "annotation":
                what = f"{visible(entry.relation or '')} {visible(entry.change or '')}".rstrip()
                yield (
                    Part("tied to ", "tied"),
                    Part(f"line {entry.annotates}", "line", seq=entry.annotates),
                    Part(f": {what}", "tied"),
                )
            case _:
                yield (Part(_service(entry)),)


def annotation(annotated: RecordedAnnotation) -> str:
    """An annotation of a line: `ticket OPS-17: as agreed`."""
    what = f"{visible(annotated.relation)} {visible(annotated.change or '')}".rstrip()
    return f"{what}: {visible(annotated.note)}" if annotated.note else what


def _named(entry: Entry, *, tag: str | None = None, digest: str | None = None) -> LinkTarget:
    return LinkTarget(entry.registry or "", entry.repository or "", tag, digest)


def _service(entry: Entry) -> str:
    """A line of the service about itself, in words."""
    tell = _OF_THE_SERVICE.get(entry.kind)
    return tell(entry) if tell is not None else _PLAIN.get(entry.kind, entry.kind)


def _token(entry: Entry) -> str:
    scopes = f", for {listed(entry.scopes, most=None)}" if entry.action == "made" else ""
    return f"token {visible(entry.token or '')} {visible(entry.action or '')}{scopes}"


def _exported(entry: Entry) -> str:
    what = "identities read" if entry.format in _READINGS else "exported"
    how = f" ({visible(entry.action or entry.reason or '')})" if entry.action or entry.reason else ""
    token = f" with token {visible(entry.token)}" if entry.token else ""
    return f"{what} as {visible(entry.format or '')}{token}{how}"


def _started(entry: Entry) -> str:
    return f"tagtrail {visible(entry.version or '')} {entry.kind}"


def _lines(entry: Entry) -> str:
    return counted(sum(last - first + 1 for first, last in entry.lines), "line", "lines")


def _pruned(entry: Entry) -> str:
    if entry.format == RAW:
        return f"old events as received were dropped (those before line {entry.before}): {_reason(entry)}"
    which = _lines(entry) if entry.lines else "many"
    return f"old lines were pruned ({which} before line {entry.before}): {_reason(entry)}"


def _whom(entry: Entry, logged: LoggedEntry) -> list[Clause]:
    if entry.who is not None and logged.who is None:
        return [(Part("by somebody whose name was erased"),)]
    if not logged.actor:
        return []
    assurance = (Part(f" ({entry.actor_assurance})", "assurance"),) if entry.actor_assurance else ()
    return [(Part("by "), Part(visible(logged.actor), "actor"), *assurance)]


def _platforms(entry: Entry) -> str:
    if not entry.references:
        return ""
    return f", an index of {counted(len(entry.references) + entry.references_left_out, 'manifest', 'manifests')}"


def _tags(changes: Sequence[TagChange]) -> str:
    return listed((change.tag for change in changes), most=_MOST_CHANGES)


def _reason(entry: Entry) -> str:
    return visible(entry.reason or "for no reason that was kept")


def _rules(entry: Entry) -> str:
    rules = rules_of(entry.configuration)
    environments = listed(dict.fromkeys(rule.name for rule in rules.environments)) or "none"
    own = counted(len(rules.tag_rules), "tag rule of its own", "tag rules of its own")
    return f"rules put in force: {own}, environments {environments}"


_OF_THE_SERVICE: Final[dict[str, Callable[[Entry], str]]] = {
    "configuration": _rules,
    "erased": lambda entry: f"a person's data was erased ({_lines(entry)}): {_reason(entry)}",
    "pruned": _pruned,
    "token": _token,
    "exported": _exported,
    "started": _started,
    "stopped": _started,
}
