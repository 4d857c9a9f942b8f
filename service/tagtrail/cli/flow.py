"""Running text for a terminal: clauses put into lines, so that what belongs together is not torn apart."""

from collections.abc import Iterator, Sequence

from rich.text import Text

_KEPT_WHOLE = 40  # columns up to which a clause is never broken
_BETWEEN_CLAUSES = "  "


def flow(clauses: Sequence[Text], *, width: int, indent: int) -> list[Text]:
    """The clauses in lines of at most `width` columns; lines after the first begin with `indent` blanks.

    Long clauses break between words, and words only where one is longer than a line.
    """
    lines = [Text()]
    room = width
    for gap, piece in _pieces(clauses, width - indent):
        if lines[-1].plain and len(gap) + piece.cell_len <= room:
            lines[-1].append(gap).append_text(piece)
            room -= len(gap) + piece.cell_len
            continue
        if lines[-1].plain:
            lines.append(Text(" " * indent))
        lines[-1].append_text(piece)
        room = width - lines[-1].cell_len
    return lines


def _pieces(clauses: Sequence[Text], longest: int) -> Iterator[tuple[str, Text]]:
    """What is not broken, each with the blanks before it."""
    for clause in clauses:
        words = [clause] if clause.cell_len <= _KEPT_WHOLE else clause.split(" ")
        for at, word in enumerate(words):
            for start, part in enumerate(_chop(word, longest)):
                yield ("" if start else " " if at else _BETWEEN_CLAUSES), part


def _chop(word: Text, longest: int) -> Iterator[Text]:
    """The word in parts that fit; of letters two columns wide there are half as many in each."""
    if word.cell_len <= longest:
        yield word
        return
    step = longest if word.cell_len == len(word) else longest // 2
    yield from word.divide(range(step, len(word), step))
