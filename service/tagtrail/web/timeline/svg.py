"""A lane as SVG. Python code is faster than a template for the hundreds of pieces of a page.

All text from outside passes through `_safe`.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from markupsafe import Markup

from tagtrail.web.timeline.axis import Tick
from tagtrail.web.timeline.drawing import DrawnPiece
from tagtrail.wording.text import visible

_VIOLATES: Final = '<path class="violates" d="M2.5 14.5 9 2.5l6.5 12z"/><path class="sign" d="M9 7v3.5M9 12.2v.8"/>'
_CROSS: Final = '<path class="cross" d="M4-5l10 10M14-5L4 5"/>'
_SIDES: Final = {"left": ("0", 10), "middle": ("50%", 0), "right": ("100%", -10)}
_LONGEST: Final = 24  # letters of a name in the details


def render_lane(name: str, pieces: Iterable[DrawnPiece], ticks: Sequence[Tick]) -> Markup:
    """The lane with its grid. Each piece is a link that shows its details on hover and on focus."""
    grid = "".join(f'<line class="grid" x1="{x}%" x2="{x}%" y1="0" y2="100%"/>' for x in (tick.x for tick in ticks))
    drawn = "\n".join(map(_render_piece, pieces))
    return Markup(f'<svg class="lane" role="group" aria-label="{_safe(name)}">{grid}\n{drawn}</svg>')  # noqa: S704


def _how(piece: DrawnPiece) -> str:
    """The move that began the piece, and its line."""
    if piece.seq is None:
        return "zoom in"
    violation = "violation: " if piece.violations and piece.kind != "gone" else ""
    actor = f" by {visible(piece.actor[:_LONGEST])}" if piece.actor else ""
    return f"{violation}{piece.moved}{actor}, line {piece.seq}"


def _render_piece(piece: DrawnPiece) -> str:
    shade = f" s{piece.colour}" if piece.kind == "digest" else ""
    opening = f'<a class="piece {piece.kind}{shade} {piece.side}" href="{_safe(piece.leads_to)}">'
    body = f"{_rect('body', piece, 0, 100)}{_render_body(piece)}"
    return f"{opening}{body}{_render_labels(piece)}{_render_marks(piece)}{_render_tip(piece)}</a>"


def _render_body(piece: DrawnPiece) -> str:
    x, end = piece.x, round(piece.x + piece.width, 3)
    if piece.kind == "gone":
        return f'<line class="nothing" x1="{x}%" x2="{end}%" y1="50%" y2="50%"/>'
    fill = "" if piece.kind == "digest" else _rect("folds", piece, 0, 100, "url(#folded)")
    if piece.kind == "digest" and piece.pattern:
        fill = _rect("hatched", piece, 80, 20, f"url(#band-{piece.pattern})")
    return f'{_rect("band", piece, 80, 20)}{fill}<line class="edge" x1="{x}%" x2="{x}%" y1="0" y2="100%"/>'


def _rect(kind: str, piece: DrawnPiece, y: int, height: int, fill: str = "") -> str:
    painted = f' fill="{fill}"' if fill else ""
    return f'<rect class="{kind}" x="{piece.x}%" width="{piece.width}%" y="{y}%" height="{height}%"{painted}/>'


def _render_labels(piece: DrawnPiece) -> str:
    """The long label for wide lanes, and the short one for narrower lanes."""
    until = f" u{piece.labels[0].fits}" if piece.labels else ""
    aside = 20 if piece.violations else 6
    return "".join(
        f'<text class="label f{label.fits}{until if number else ""}" aria-hidden="true" x="{piece.x}%" y="42%"'
        f' dx="{aside}">{_safe(label.text)}</text>'
        for number, label in enumerate(piece.labels)
    )


def _render_marks(piece: DrawnPiece) -> str:
    violates = f'<svg class="mark" x="{piece.x}%">{_VIOLATES}</svg>' if piece.violations else ""
    cross = f'<svg class="mark" x="{piece.x}%" y="50%">{_CROSS}</svg>' if piece.kind == "gone" else ""
    return violates + cross


def _render_tip(piece: DrawnPiece) -> str:
    """The details. They are also the link's accessible name, so invisible commas separate the lines."""
    x, aside = _SIDES[piece.side]
    lines = (
        piece.what,
        f"{piece.since_text[:16]} to {piece.until_text[:16]}{' UTC' if piece.until else ''}",
        _how(piece),
    )
    spans = '<tspan font-size="0">, </tspan>'.join(
        f'<tspan x="{x}" dx="{aside}" dy="1.25rem">{_safe(line)}</tspan>' for line in lines
    )
    return f'<g class="tip"><rect class="ground" y="108%" height="4.25rem"/><text y="108%">{spans}</text></g>'


def _safe(text: str) -> str:
    """Text from outside, escaped for an element or an attribute."""
    return escape(visible(text))
