"""A line of the ledger as a sentence: `team/app:prod  moved back to 1.0.0 sha256:5208e615ff04 (was ...)  by alice`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from rich.text import Text

from tagtrail.cli.place import Trail
from tagtrail.cli.words import counted, listed, local_time, size, visible
from tagtrail.ledger.line import Entry, disclosed_value, read_line
from tagtrail.ledger.project import Who
from tagtrail.ledger.prune import RAW
from tagtrail.ledger.rulebook import rules_of
from tagtrail.store.answers import Annotated, Change, Filter, LoggedEntry
from tagtrail.store.questions.names import find_manifest_ids, find_repositories
from tagtrail.store.questions.releases import Releases
from tagtrail.trail.instant import parse_instant
from tagtrail.trail.names import Reference, short_digest

MOVE_WORDS = {"created": "created", "moved": "moved", "moved_back": "moved back", "deleted": "deleted"}
MOVE_STYLES = {"created": "green", "moved": "yellow", "moved_back": "cyan", "deleted": "red"}
VIOLATION = "VIOLATION: a release tag never moves"

_MOST_ANNOTATIONS = 5  # shown beside a line
_MOST_CHANGES = 5  # tags named of a delete that took many
_REMEMBERED = 10_000
_PLAIN = {
    "observed": "observed",
    "gap_opened": "a gap in the record began",
    "gap_closed": "a gap in the record ended",
    "key": "the signing key was changed",
}


@dataclass(frozen=True, slots=True)
class Manner:
    """How references and digests are written: whole with their host for a pipe, shortened for a person's eyes."""

    trail: Trail
    is_whole: bool

    def reference(self, entry: Entry, tag: str | None) -> str:
        """The image that an entry is about."""
        return self.name(entry.registry or "", entry.host, entry.repository or "", tag, entry.digest)

    def name(self, registry: str, host: str | None, repository: str, tag: str | None, digest: str | None) -> str:
        """An image: pinned and with its host when whole, else as short as it is clear."""
        if self.is_whole:
            return visible(self.trail.hosts.reference(registry, host, repository, tag, digest))
        if tag is None and digest is not None:
            digest = short_digest(digest)
        shown = str(Reference(repository, tag, digest if tag is None else None))
        return visible(f"{registry}/{shown}" if self.trail.has_several_registries else shown)

    def digest(self, digest: str) -> str:
        """A digest."""
        return visible(digest if self.is_whole else short_digest(digest))


class ReleaseTags:
    """The release tags of the digests that a log's sentences name."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self.of = lru_cache(maxsize=_REMEMBERED)(self._find)

    def _find(self, registry: str, repository: str, digest: str, at: int) -> tuple[str, ...]:
        """Those that named the digest at the instant or after it: they may arrive a second later."""
        db = self._trail.store.reader()
        having = find_repositories(db, Filter(registry=registry, repository=repository))
        manifests = find_manifest_ids(db, digest, having)
        return tuple(
            dict.fromkeys(named.tag for manifest in manifests for named in Releases(db).during(manifest, at, None))
        )


@dataclass(frozen=True, slots=True)
class Narrator:
    """Tells what lines of the ledger say."""

    manner: Manner
    releases: ReleaseTags

    def tell(self, logged: LoggedEntry) -> list[Text]:
        """The clauses of one line, the first of which is its time."""
        entry = read_line(logged.line)
        clauses = self._about_image(entry, logged) if entry.repository else self._about_service(entry)
        time = Text(local_time(_occurred(entry, logged)))
        tied = [Text(annotation(annotated), "cyan") for annotated in logged.annotations[-_MOST_ANNOTATIONS:]]
        return [time, *clauses, *tied, *_whom(entry, logged), Text(f"[line {logged.seq}]", "dim")]

    def _about_image(self, entry: Entry, logged: LoggedEntry) -> Iterator[Text]:
        tag = entry.tag or (logged.changes[0].tag if len(logged.changes) == 1 else None)
        yield Text(self.manner.reference(entry, tag), "bold")
        match entry.kind:
            case "push":
                yield self._push(entry, logged)
            case "delete":
                yield self._delete(entry, logged)
            case "deployment":
                yield self._deployment(entry)
            case _:
                yield Text(_PLAIN.get(entry.kind, entry.kind))
        if entry.kind != "deployment" and logged.environments:
            verb = "withdrawn from" if entry.kind == "delete" else "published for"
            yield Text(f"{verb} {listed(logged.environments)}", "blue")
        if any(change.violates for change in logged.changes):
            yield Text(VIOLATION, "bold red")

    def _push(self, entry: Entry, logged: LoggedEntry) -> Text:
        if entry.tag is None:
            return Text(f"pushed without a tag{_platforms(entry)}")
        if not logged.changes:
            return Text(f"pushed again, no move: {self._named(entry, entry.digest or '')}")
        return self._move(entry, logged.changes[0])

    def _move(self, entry: Entry, change: Change) -> Text:
        words = Text.assemble((MOVE_WORDS[change.kind], MOVE_STYLES[change.kind]))
        if change.digest is not None and (to := self._named_now(entry, change.digest)):
            words.append(f" {'as' if change.kind == 'created' else 'to'} {to}")
        if change.previous is not None:
            words.append(f" (was {self._named(entry, change.previous)})")
        return words

    def _delete(self, entry: Entry, logged: LoggedEntry) -> Text:
        changes = logged.changes
        if not changes:
            return Text("deleted, no tag pointed there" if entry.tag is None else "deleted, it pointed at nothing")
        if len(changes) == 1:
            return self._move(entry, changes[0])
        return Text.assemble(("deleted", "red"), f": {_tags(changes)}")

    def _deployment(self, entry: Entry) -> Text:
        change = f" for {visible(entry.change)}" if entry.change else ""
        where = visible(entry.environment or "")
        named = self._named_now(entry, entry.digest or "")
        return Text.assemble((f"deployed to {where}", "blue"), f" as {named}" if named else "", change)

    def _named(self, entry: Entry, digest: str) -> str:
        """A digest with the release tags that named it."""
        return " ".join(filter(None, (self._release_tags(entry, digest), self.manner.digest(digest))))

    def _named_now(self, entry: Entry, digest: str) -> str:
        """The same, without the digest where the image's reference before it has it."""
        return self._release_tags(entry, digest) if self.manner.is_whole else self._named(entry, digest)

    def _release_tags(self, entry: Entry, digest: str) -> str:
        at = parse_instant(entry.occurred or entry.at)
        tags = self.releases.of(entry.registry or "", entry.repository or "", digest, at)
        return listed(tag for tag in tags if tag != entry.tag)

    def _about_service(self, entry: Entry) -> Iterator[Text]:
        registry = visible(entry.registry or "")
        match entry.kind:
            case "registry":
                host = f", called {visible(entry.host)}" if entry.host else ""
                yield Text(f"registry {registry} was heard of{host}, instance {visible(entry.instance or 'unnamed')}")
            case "quarantined":
                amount = f" ({size(entry.size)})" if entry.size is not None else ""
                yield Text.assemble(("quarantined", "magenta"), f" from registry {registry}{amount}: {_reason(entry)}")
            case "configuration":
                yield Text(_rules(entry))
            case "annotation":
                what = f"{visible(entry.relation or '')} {visible(entry.change or '')}".rstrip()
                yield Text(f"tied to line {entry.annotates}: {what}", "cyan")
            case "erased":
                yield Text(f"a person's data was erased ({_lines(entry)}): {_reason(entry)}")
            case "pruned":
                yield Text(_pruned(entry))
            case "token":
                scopes = f", for {listed(entry.scopes, most=None)}" if entry.action == "made" else ""
                yield Text(f"token {visible(entry.token or '')} {visible(entry.action or '')}{scopes}")
            case "exported":
                yield Text(_exported(entry))
            case "started" | "stopped":
                yield Text(f"tagtrail {visible(entry.version or '')} {entry.kind}")
            case _:
                yield Text(_PLAIN.get(entry.kind, entry.kind))


def annotation(annotated: Annotated) -> str:
    """What was tied to a line: `ticket OPS-17: as agreed`."""
    what = f"{visible(annotated.relation)} {visible(annotated.change or '')}".rstrip()
    return f"{what}: {visible(annotated.note)}" if annotated.note else what


def _lines(entry: Entry) -> str:
    return counted(sum(last - first + 1 for first, last in entry.lines), "line", "lines")


def _exported(entry: Entry) -> str:
    what = "identities read" if entry.format in ("json", "csv", "ndjson") else "exported"
    how = f" ({visible(entry.action or entry.reason or '')})" if entry.action or entry.reason else ""
    token = f" with token {visible(entry.token)}" if entry.token else ""
    return f"{what} as {visible(entry.format or '')}{token}{how}"


def _pruned(entry: Entry) -> str:
    if entry.format == RAW:
        return f"old events as received were dropped (those before line {entry.before}): {_reason(entry)}"
    which = _lines(entry) if entry.lines else "many"
    return f"old lines were pruned ({which} before line {entry.before}): {_reason(entry)}"


def _occurred(entry: Entry, logged: LoggedEntry) -> int:
    """When it happened: by the registry's clock, or by ours for what no registry told."""
    return parse_instant(entry.occurred) if entry.occurred else logged.received_at


def _whom(entry: Entry, logged: LoggedEntry) -> list[Text]:
    if entry.who is not None and logged.who is None:
        return [Text("by somebody whose name was erased")]
    who = msgspec.json.decode(disclosed_value(logged.who), type=Who) if logged.who else Who()
    if not who.actor:
        return []
    assurance = f" ({entry.actor_assurance})" if entry.actor_assurance else ""
    return [Text.assemble(f"by {visible(who.actor)}", (assurance, "dim"))]


def _platforms(entry: Entry) -> str:
    if not entry.references:
        return ""
    return f", an index of {counted(len(entry.references) + entry.references_left_out, 'manifest', 'manifests')}"


def _tags(changes: Sequence[Change]) -> str:
    return listed((change.tag for change in changes), most=_MOST_CHANGES)


def _reason(entry: Entry) -> str:
    return visible(entry.reason or "for no reason that was kept")


def _rules(entry: Entry) -> str:
    rules = rules_of(entry.configuration)
    environments = listed(dict.fromkeys(rule.name for rule in rules.environments)) or "none"
    own = counted(len(rules.tag_rules), "tag rule of its own", "tag rules of its own")
    return f"rules put in force: {own}, environments {environments}"
