"""Ledger lines as sentences on a page: their clauses as HTML with links, and how much each line stands out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup, escape

from tagtrail.store.entries import LoggedEntry
from tagtrail.trail.instant import SECOND
from tagtrail.web.context import PageContext
from tagtrail.wording.clauses import Clause, LinkTarget, Part

_LATE: Final = 300 * SECOND  # a longer delay between an event and its line is shown

Tone = Literal["violation", "move", "quiet"]
Link = Callable[..., str]


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line as a sentence; `occurred_at` is by its registry's clock, if it has one, `recorded_at` by ours."""

    seq: int
    kind: str
    occurred_at: int
    recorded_at: int
    tone: Tone
    clauses: tuple[Clause, ...]

    @property
    def was_late(self) -> bool:
        """Whether the line was recorded long after the event."""
        return self.recorded_at - self.occurred_at > _LATE


def show_lines(context: PageContext, entries: Iterable[LoggedEntry]) -> Iterator[ShownLine]:
    """Each line as a sentence, without identities if the caller may not see them."""
    line_text = context.line_text
    for logged in context.redact(tuple(entries)):
        clauses = tuple(line_text.describe(logged))
        yield ShownLine(logged.seq, logged.kind, logged.occurred_at, logged.at, _tone_of(logged), clauses)


def _tone_of(logged: LoggedEntry) -> Tone:
    """How much a line stands out: violations most, then moves, deployments and changes of the ledger."""
    if any(change.violation for change in logged.changes):
        return "violation"
    if logged.changes or logged.environments or logged.kind in ("quarantined", "gap_opened", "erased", "pruned"):
        return "move"
    return "quiet"


def make_sentence_filter(link: Link) -> Callable[[Iterable[Clause]], Markup]:
    """A template filter that renders clauses; `link` gives the address of a page by its name. It escapes all text."""

    def render(clauses: Iterable[Clause]) -> Markup:
        rendered = ("".join(_render_part(part, link) for part in clause) for clause in clauses)
        return Markup(" ".join(f'<span class="clause">{clause}</span>' for clause in rendered))  # noqa: S704

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


def _address(named: LinkTarget, link: Link) -> str:
    if named.tag is not None:
        return link("tag", registry=named.registry, repository=named.repository, tag=named.tag)
    return link("repository", registry=named.registry, repository=named.repository)
