"""The order of a repository's tags: versions by their numbers, then all other tags by name.

A version is numbers with dots, after an optional `v`, such as `1.9.0`, `v2` or `2026.04.20`; a date with another
separator or none (`2026-04-20`, `20260420`) counts as year, month and day. It may have a suffix. In this order:

1. Versions before all other tags.
2. The numbers, by value: 1.9.0 before 1.10.0. A missing number counts as 0, and of equal versions the one with fewer
   numbers comes first: 1.2, 1.2.0, 1.2.1.
3. A pre-release before its release: 2.0.0-rc1 before 2.0.0. Their stages are development builds, alpha, beta, previews
   and release candidates.
4. Every other suffix after the release: 1.2.0-alpine, 1.2.0-2, or build metadata, which tags write with `_` or `-`,
   since they cannot contain the `+` of Semantic Versioning. In a registry such a suffix names a variant of the release.
5. Suffixes, and tags that are no versions, by name, with numbers in it by value: rc2 before rc10, build-9 before
   build-10.
"""

import re
from typing import Final

_DATE = re.compile(r"v?((?:19|20)\d\d)([-_]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])((?:[-_.tT].*)?)", re.ASCII)
_VERSION = re.compile(r"[vV]?(\d+(?:\.\d+)*)((?:[-_.].*)?)", re.ASCII)
_COMPACT = re.compile(r"[vV]?(\d+(?:\.\d+)+)((?:alpha|beta|dev|pre|rc|a|b)\d*(?:[-_.].*)?)", re.ASCII | re.IGNORECASE)
_PIECE = re.compile(r"\d+|[^\d]+", re.ASCII)
_WORD = re.compile(r"[-_.]?([a-z]+)", re.ASCII | re.IGNORECASE)
_STAGES: Final = {
    word: stage
    for stage, words in enumerate(
        ("dev snapshot nightly canary edge", "a alpha", "b beta", "m milestone ea pre preview next", "c cr rc")
    )
    for word in words.split()
}
_RELEASE: Final = 5  # the stage after all pre-releases
_VARIANT: Final = 6

_Natural = tuple[tuple[int, int, str], ...]


def version_key(tag: str) -> tuple[int, tuple[int, ...], int, _Natural, int, str]:
    """The sort key of a tag in the order that this module describes."""
    parts: tuple[str, ...]
    if date := _DATE.fullmatch(tag):
        parts, suffix = (date[1], date[3], date[4]), date[5]
    elif version := _COMPACT.fullmatch(tag) or _VERSION.fullmatch(tag):
        parts, suffix = tuple(version[1].split(".")), version[2]
    else:
        return (1, (), 0, _natural(tag), 0, tag)
    numbers = tuple(map(int, parts))
    return (0, _without_zeros(numbers), _stage(suffix), _natural(suffix), len(numbers), tag)


def _stage(suffix: str) -> int:
    if not suffix:
        return _RELEASE
    word = _WORD.match(suffix)
    return _STAGES.get(word[1].lower(), _VARIANT) if word else _VARIANT


def _without_zeros(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers without the zeros at the end, so that 1.0 and 1.0.0 are equal."""
    last = max((at for at, number in enumerate(numbers, 1) if number), default=0)
    return numbers[:last]


def _natural(text: str) -> _Natural:
    """The pieces of a text, its numbers by value and before letters."""
    return tuple((0, int(piece), "") if piece.isdigit() else (1, 0, piece.lower()) for piece in _PIECE.findall(text))
