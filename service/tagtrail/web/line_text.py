"""Lines of the ledger as sentences on a page, each in the tone that it deserves."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup, escape

from tagtrail.store.entries import LoggedEntry
from tagtrail.trail.instant import SECOND
from tagtrail.web.context import Visit
from tagtrail.wording.clauses import Clause, Named, Part

_LATE: Final = 300 * SECOND  # between an event and its line, from which on it is worth a word

Tone = Literal["violation", "move", "quiet"]


@dataclass(frozen=True, slots=True)
class Told:
    """A line as a sentence; `occurred_at` is by its registry's clock, if it has one, `recorded_at` by ours."""

    seq: int
    kind: str
    occurred_at: int
    recorded_at: int
    tone: Tone
    clauses: tuple[Clause, ...]

    @property
    def was_late(self) -> bool:
        """Whether its registry's word came long after the event."""
        return self.recorded_at - self.occurred_at > _LATE


def tell(visit: Visit, entries: Iterable[LoggedEntry]) -> Iterator[Told]:
    """Each line as a sentence, as far as the visitor may know it."""
    narrator = visit.narrator
    for logged in visit.redact(tuple(entries)):
        clauses = tuple(narrator.tell(logged))
        yield Told(logged.seq, logged.kind, logged.occurred_at, logged.at, _tone_of(logged), clauses)


def _tone_of(logged: LoggedEntry) -> Tone:
    """How loudly a line is shown: what moved or published something, above all a violation, before all else."""
    if any(change.violation for change in logged.changes):
        return "violation"
    if logged.changes or logged.environments or logged.kind in ("quarantined", "gap_opened", "erased", "pruned"):
        return "move"
    return "quiet"


# A sentence about a line of the ledger, on a page: each part in its role, leading to what it names.


Link = Callable[..., str]


def make_sentence_filter(link: Link) -> Callable[[Iterable[Clause]], Markup]:
    """A filter that renders clauses; `link` gives the address of a page by its name. Texts are escaped here."""

    def render(clauses: Iterable[Clause]) -> Markup:
        told = ("".join(_render_part(part, link) for part in clause) for clause in clauses)
        return Markup(" ".join(f'<span class="clause">{clause}</span>' for clause in told))  # noqa: S704

    return render


def _render_part(part: Part, link: Link) -> str:
    text, named = escape(part.text), part.named
    if part.seq is not None:
        return f'<a class="part {part.role}" href="{link("entry", seq=part.seq)}">{text}</a>'
    if named is None:
        return f'<span class="part {part.role}">{text}</span>'
    if part.role == "digest" and named.digest is not None:
        return _render_digest(named.digest, text, link)
    return f'<a class="part {part.role}" href="{_address(named, link)}">{text}</a>'


def _render_digest(digest: str, text: str, link: Link) -> str:
    whole = escape(digest)
    return (
        f'<span class="copyable" data-copy="{whole}" data-what="digest"><a class="part digest" title="{whole}"'
        f' href="{link("digest", digest=digest)}">{text}</a></span>'
    )


def _address(named: Named, link: Link) -> str:
    if named.tag is not None:
        return link("tag", registry=named.registry, repository=named.repository, tag=named.tag)
    return link("repository", registry=named.registry, repository=named.repository)
