"""Declares a deployment: checks a pipeline's declaration against the trail before it becomes a line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import msgspec

from tagtrail.errors import BadParameter, Refused
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.resolve import Image, find_image, find_registries
from tagtrail.ledger.submission import Conflict, Draft, Recorded, Submission
from tagtrail.line import Entry, Who, commit_to, disclosed_value, event_key, read_line
from tagtrail.store.database import Connection, Store
from tagtrail.store.events import find_event
from tagtrail.store.lines import StoredLine, get_line
from tagtrail.store.publications import Place, get_newest_moment
from tagtrail.trail.instant import format_instant
from tagtrail.trail.names import Reference, parse_reference

LONGEST: Final = {"environment": 63, "reference": 800, "registry": 63, "change": 500, "actor": 255, "note": 2_000}
LONGEST_KEY: Final = 255
KEY: Final = "Idempotency-Key"

_encoder = msgspec.json.Encoder(order="sorted")


class Declaration(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A pipeline's declaration: `reference` is `[host/]repository[:tag][@digest]`, with a tag, a digest or both.

    `registry` is needed only if several registries have the repository and the reference names no host. `change` is a
    ticket or a commit, `actor` the person behind it, `note` any text.
    """

    environment: str
    reference: str
    registry: str | None = None
    change: str | None = None
    actor: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The caller of a declaration; `token` is the name of its API token.

    A caller without the scope `identity` must not discover a line's disclosures by repeating declarations under the
    line's key until one matches. So a declaration is compared with the stored line only, unless the line came with the
    caller's own token.
    """

    address: str = ""
    user_agent: str = ""
    token: str | None = None
    sees_identities: bool = True

    def knows(self, entry: Entry) -> bool:
        """Whether the caller may learn if its values equal the line's disclosures."""
        return self.sees_identities or (self.token is not None and self.token == entry.token)


@dataclass(frozen=True, slots=True)
class Declared:
    """The line of a declared deployment; `is_new` is false if the same one was declared before."""

    seq: int
    is_new: bool


def declare(
    store: Store, recorder: Recorder, said: Declaration, *, key: str | None = None, origin: Origin | None = None
) -> Declared:
    """Record the deployment; durable when this returns.

    The digest is the tag's present one, unless the reference names one. With a `key`, the same declaration is recorded
    once, however often it is sent. Raises BadParameter for an invalid value, Refused (with a sentence that states what
    the trail knows) for a declaration that contradicts the trail, and StorageUnavailable.
    """
    reference, origin = _check(said, key), origin or Origin()
    rules = recorder.book.latest
    with store.snapshot() as db:
        registries = find_registries(db, rules, reference, said.registry)
        known = _find_known(db, registries, key) if key is not None else None
        if known is not None:
            return _repeat(known, said, origin)
        image = find_image(db, rules, reference, registries=registries, environment=said.environment)
        occurred_at = _after_what_is_published(db, image, said.environment, now=recorder.now())
    draft = _draft(said, image, key or str(uuid4()), origin, occurred_at)
    outcome = recorder.record(Submission((draft,)))[0]
    if isinstance(outcome, Conflict):  # the same key arrived twice at once, and the tag moved in between
        return _repeat(_get_stored(store.reader(), outcome.seq), said, origin)
    return Declared(outcome.seq, is_new=isinstance(outcome, Recorded))


def _check(said: Declaration, key: str | None) -> Reference:
    check_texts(said, LONGEST)
    check_key(key)
    try:
        reference = parse_reference(said.reference)
    except ValueError as error:
        raise BadParameter("reference", f"reference: {error}") from error
    if reference.tag is None and reference.digest is None:
        raise BadParameter("reference", f"reference: {said.reference!r} has neither a tag nor a digest")
    return reference


def check_texts(said: msgspec.Struct, longest: Mapping[str, int]) -> None:
    """Raises BadParameter for a text that is empty, too long or not one printable line."""
    for name, most in longest.items():
        text = getattr(said, name)
        if text is not None and not (0 < len(text) <= most and text.isprintable()):
            raise BadParameter(name, f"{name} must be 1 to {most} printable characters, without line feeds")


def check_key(key: str | None) -> None:
    """Raises BadParameter for an invalid Idempotency-Key."""
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        raise BadParameter(KEY, f"{KEY} must be 1 to {LONGEST_KEY} printable characters")


def _find_known(db: Connection, registries: Iterable[str], key: str) -> StoredLine | None:
    """The line that was recorded under the key."""
    for registry in registries:
        seq = find_event(db, registry, event_key(key))
        if seq is not None:
            return _get_stored(db, seq)
    return None


def _get_stored(db: Connection, seq: int) -> StoredLine:
    stored = get_line(db, seq)
    if stored is None:
        raise Refused(f"line {seq}, recorded under this {KEY}, is no longer kept")
    return stored


def _repeat(stored: StoredLine, said: Declaration, origin: Origin) -> Declared:
    """The line again, if the same declaration made it. Raises Refused."""
    by_line = stored.raw is None or not origin.knows(read_line(stored.line))
    if _fits(stored, said) if by_line else _declaration_of(stored) == said:
        return Declared(stored.seq, is_new=False)
    raise Refused(f"line {stored.seq} recorded something else under this {KEY}; use a new one for each deployment")


def _declaration_of(stored: StoredLine) -> Declaration | None:
    if stored.raw is None or read_line(stored.line).kind != "deployment":
        return None
    return msgspec.json.decode(disclosed_value(stored.raw), type=Declaration)


def _fits(stored: StoredLine, said: Declaration) -> bool:
    """Whether the declaration can have made the line, judged without its disclosures."""
    entry = read_line(stored.line)
    reference = parse_reference(said.reference)
    return (
        (entry.kind, entry.environment, entry.change, entry.repository, entry.tag)
        == ("deployment", said.environment, said.change, reference.repository, reference.tag)
    ) and reference.digest in (None, entry.digest)


def _after_what_is_published(db: Connection, image: Image, environment: str, *, now: int) -> int:
    """Now, or just after the environment's newest publication if a registry's clock is ahead.

    A declaration comes after everything that was reported before it.
    """
    newest = get_newest_moment(db, Place(environment, image.repository.id))
    return now if newest is None else max(now, newest.occurred_at + 1)


def _draft(said: Declaration, image: Image, event: str, origin: Origin, occurred_at: int) -> Draft:
    who = Who(actor=said.actor or "", address=origin.address, user_agent=origin.user_agent)
    entry = Entry(
        kind="deployment",
        registry=image.repository.registry,
        host=image.host,
        event=event,
        occurred=format_instant(occurred_at),
        repository=image.repository.name,
        tag=image.tag,
        digest=image.digest,
        environment=said.environment,
        change=said.change,
        actor_assurance="claimed" if said.actor else "absent",
        token=origin.token,
    )
    entry, who_document, raw_document = commit_to(entry, who=who, raw=_encoder.encode(said))
    return Draft(entry, who=who_document, raw=raw_document, may_compare=origin.knows)
