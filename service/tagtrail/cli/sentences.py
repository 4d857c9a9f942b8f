"""A line of the ledger at a terminal: the parts of its sentence, each in its style."""

from collections.abc import Callable, Sequence
from typing import Final

from rich.text import Text

from tagtrail.cli.place import Trail
from tagtrail.cli.words import local_time
from tagtrail.store.entries import LoggedEntry
from tagtrail.wording.clauses import Clause, Role
from tagtrail.wording.line_text import Narrator, ReleaseTags

STYLES: Final[dict[Role, str]] = {
    "image": "bold",
    "created": "green",
    "moved": "yellow",
    "moved_back": "cyan",
    "deleted": "red",
    "published": "blue",
    "violation": "bold red",
    "quarantined": "magenta",
    "tied": "cyan",
    "assurance": "dim",
}


def teller(trail: Trail, *, is_whole: bool) -> Callable[[LoggedEntry], Sequence[Text]]:
    """A function that tells a line of the log: its time, its sentence and its number."""
    narrator = Narrator(trail.manner(is_whole=is_whole), ReleaseTags(trail.store.reader))

    def tell(logged: LoggedEntry) -> list[Text]:
        time = local_time(logged.occurred_at)
        return [Text(time), *map(_styled, narrator.tell(logged)), Text(f"[line {logged.seq}]", "dim")]

    return tell


def _styled(clause: Clause) -> Text:
    return Text.assemble(*((part.text, STYLES.get(part.role, "")) for part in clause))
