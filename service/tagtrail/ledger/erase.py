"""Erases a person: deletes the documents that name them; the lines that commit to the documents stay.

Every proof and every older export stays valid, because a line holds only the hash of a salted document. Lines never
change, so a name inside a line (in a repository's name, a tag, or the text of a change) stays.

Unicode can write one text in several ways that look the same (an accented letter, or a letter and its accent:
https://www.unicode.org/reports/tr15/). All of them are erased, and each is reported.
"""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Final
from unicodedata import combining, normalize
from urllib.parse import quote, quote_plus, unquote_plus

import msgspec

from tagtrail.errors import BadParameter
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft
from tagtrail.line import Entry, Who, disclosed_value, read_who
from tagtrail.store.database import Store
from tagtrail.store.erasing import (
    Holding,
    Remainder,
    count_remainder,
    erase_disclosures,
    find_files_with,
    iterate_suspects,
    rewrite,
    write_back,
)
from tagtrail.store.lines import StoredLine, get_last_seq

LONGEST_NAME: Final = 255
LONGEST_REASON: Final = 500
_MOST_RANGES: Final = 2_000  # in one line, which has at most 60,000 bytes
# Characters that continue a word (alice-bot and alice@example.org are not alice), and accents of the last letter.
_JOINING: Final = "\u0300-\u036f@/+_-"
_ESCAPE = re.compile(r'(?:\\u[0-9a-fA-F]{4})+|\\["\\/bfnrt]')  # of JSON; one character may be two escapes


@dataclass(frozen=True, slots=True)
class Traces:
    """The places where a name remains after an erasure: files, and tables that keep it as a part of other data.

    `is_emptied` is false if a reader prevented emptying the write-ahead log, which may hold the name.
    """

    files: tuple[str, ...]
    kept: Remainder
    is_emptied: bool


def check_request(name: str, reason: str) -> None:
    """Raises BadParameter for an invalid name or reason."""
    if not 0 < len(name) <= LONGEST_NAME or name.encode(errors="replace").decode() != name:
        raise BadParameter("actor", f"an actor's name has 1 to {LONGEST_NAME} characters, in UTF-8")
    if not (0 < len(reason) <= LONGEST_REASON and reason.isprintable()):
        raise BadParameter("reason", f"the reason must be 1 to {LONGEST_REASON} printable characters")
    if _tells(reason, name):
        raise BadParameter(
            "reason", "the reason names the person and would stay in the ledger for ever; give a case number instead"
        )


def find_holdings(store: Store, name: str, *, spelled: Callable[[str], None] = lambda _: None) -> list[Holding]:
    """The disclosures to erase for the name, by line; `spelled` receives each spelling that was found.

    For lines of the actor, these are both disclosures. For other lines, every disclosure that contains the name by
    itself: as a value, or as a word in a text. A value that the line itself contains (a repository or a tag of that
    name) does not count, because it would stay.
    """
    db = store.reader()
    suspects = iterate_suspects(db, _in_every_form(name).encode(), last=get_last_seq(db))
    wanted = _Wanted(normalize("NFC", name), spelled)
    return [holding for stored in suspects if (holding := _find_holding(stored, wanted)) is not None]


def erase(recorder: Recorder, holdings: Sequence[Holding], *, reason: str) -> list[int]:
    """Record the erasure and delete the disclosures; returns the numbers of the `erased` lines.

    There are several lines if one cannot hold all ranges. Each is written in one transaction with its deletions.

    Raises StorageUnavailable.
    """
    recorded = []
    for lines, some in _in_lines(holdings):
        entry = Entry(kind="erased", reason=reason, lines=lines)
        taken = recorder.amend(Draft(entry), partial(erase_disclosures, holdings=some))
        recorded.append(taken.seq)
    return recorded


def remove_traces(store: Store, name: str, *, spelled: Collection[str] = ()) -> Traces:
    """Remove the name from old pages of the files, and search every file of the data directory for it.

    `spelled` are the spellings that were found. The database is rewritten only if its file still contains the name.
    Raises StorageUnavailable.
    """
    forms = sorted({name, normalize("NFC", name), normalize("NFD", name), *spelled})
    spellings = {spelling for form in forms for spelling in _spellings(form)}
    is_emptied = write_back(store)
    if store.path in find_files_with(store.directory, spellings):
        is_emptied = rewrite(store)
    files = find_files_with(store.directory, spellings)
    found = tuple(str(path.relative_to(store.directory)) for path in files)
    return Traces(found, count_remainder(store.reader(), forms), is_emptied)


class _Wanted:
    """A name in its composed form (NFC), and the receiver of its spellings."""

    def __init__(self, name: str, spelled: Callable[[str], None]) -> None:
        self._name = name
        self._spelled = spelled
        # As a separate word. A full stop joins two words only if a word follows it.
        self._naming = re.compile(rf"(?<![\w{_JOINING}])(?<!\w\.){re.escape(name)}(?![\w{_JOINING}]|\.\w)")

    def is_all_of(self, text: str) -> bool:
        if normalize("NFC", text) != self._name:
            return False
        self._spelled(text)
        return True

    def is_in(self, text: str) -> bool:
        if self._naming.search(normalize("NFC", text)) is None:
            return False
        for form in {self._name, normalize("NFD", self._name)}:
            if form in text:
                self._spelled(form)
        return True


def _find_holding(stored: StoredLine, wanted: _Wanted) -> Holding | None:
    who = read_who(stored.who) or Who()
    if wanted.is_all_of(who.actor):
        return Holding(stored.seq, who=True, raw=stored.raw is not None)
    in_who = wanted.is_all_of(who.address) or wanted.is_in(who.user_agent)
    in_raw = stored.raw is not None and _is_named(stored.raw, stored.line, wanted)
    return Holding(stored.seq, who=in_who, raw=in_raw) if in_who or in_raw else None


def _is_named(document: bytes, line: bytes, wanted: _Wanted) -> bool:
    told = set(_texts(msgspec.json.decode(line)))
    return any(wanted.is_in(text) for text in _received_texts(disclosed_value(document)) if text not in told)


def _tells(reason: str, name: str) -> bool:
    """Whether the reason contains the name in any spelling, because the reason stays in a line."""
    named, said = (normalize("NFKC", text).casefold() for text in (name, reason))
    return re.search(rf"(?<![^\W_]){re.escape(named)}(?![^\W_])", said) is not None


def _in_every_form(name: str) -> str:
    """The longest part of the name with the same letters in every Unicode form."""
    runs = groupby(normalize("NFC", name), lambda letter: not combining(letter) and normalize("NFD", letter) == letter)
    return max(("".join(letters) for is_same, letters in runs if is_same), key=len, default="")


def _received_texts(value: bytes) -> Iterator[str]:
    """Every text in a received document.

    A quarantined body is one text, which may be JSON or Base64; a recorded query contains the query of a URL.
    """
    try:
        received = msgspec.json.decode(value)
    except (ValueError, RecursionError):
        received = value.decode(errors="replace")
    match received:
        case str():
            yield from (received, _unescaped(received))
        case {"base64": str() as encoded} if len(received) == 1:
            text = b64decode(encoded).decode(errors="replace")
            yield from (text, _unescaped(text))
        case _:
            for text in _texts(received):
                yield text
                if "%" in text or "+" in text:
                    yield unquote_plus(text)


def _unescaped(text: str) -> str:
    """The text, with its JSON escapes decoded where it is JSON."""
    return _ESCAPE.sub(lambda found: str(json.loads(f'"{found[0]}"')), text)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, without field names: a person called `source` is not in every event."""
    left = [value]
    while left:
        match left.pop():
            case str() as text:
                yield text
            case dict() as fields:
                left += fields.values()
            case list() as values:
                left += values


def _in_lines(holdings: Sequence[Holding]) -> Iterator[tuple[tuple[tuple[int, int], ...], list[Holding]]]:
    """The disclosures in groups that fit one line each, with the ranges of their numbers."""
    ranges = [[holding for _, holding in run] for _, run in groupby(enumerate(holdings), lambda at: at[1].seq - at[0])]
    for first in range(0, len(ranges), _MOST_RANGES):
        group = ranges[first : first + _MOST_RANGES]
        yield tuple((run[0].seq, run[-1].seq) for run in group), [holding for run in group for holding in run]


def _spellings(name: str) -> set[bytes]:
    """The name as a file may contain it: as UTF-8, or with escapes of JSON (twice in quarantined bodies) or a URL."""
    escaped = json.dumps(name)[1:-1]
    upper = re.sub(r"\\u[0-9a-f]{4}", lambda found: f"\\u{found[0][2:].upper()}", escaped)
    once = (escaped, upper, json.dumps(name, ensure_ascii=False)[1:-1])
    twice = (json.dumps(text, ensure_ascii=False)[1:-1] for text in once)
    return {text.encode() for text in (name, *once, *twice, quote(name), quote_plus(name))}
