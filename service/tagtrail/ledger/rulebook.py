"""The rules in force at each line: those of the last `configuration` line at or before it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any

from tagtrail.line import read_line
from tagtrail.store.database import Connection
from tagtrail.store.lines import find_lines_of_kind
from tagtrail.trail.rules import Rules


class RuleBook:
    """All rules ever in force, each from a line on; the defaults before the first."""

    def __init__(self, editions: Iterable[tuple[int, Rules]] = ()) -> None:
        self._seqs: list[int] = []
        self._rules: list[Rules] = [Rules()]
        for seq, rules in editions:
            self.add(seq, rules)

    def add(self, seq: int, rules: Rules) -> None:
        """Put rules in force from the line `seq` on."""
        self._seqs.append(seq)
        self._rules.append(rules)

    def at(self, seq: int) -> Rules:
        """The rules in force at the line."""
        return self._rules[self.edition(seq)]

    def edition(self, seq: int) -> int:
        """The index in `editions` of the rules in force at the line."""
        return bisect_right(self._seqs, seq)

    def before(self, seq: int) -> "RuleBook":
        """The rule book before the line."""
        known = bisect_left(self._seqs, seq)
        return RuleBook(zip(self._seqs[:known], self._rules[1 : known + 1], strict=True))

    @property
    def editions(self) -> tuple[Rules, ...]:
        """All rules ever in force, oldest first, beginning with the defaults."""
        return tuple(self._rules)

    @property
    def latest(self) -> Rules:
        """The rules in force now."""
        return self._rules[-1]

    @property
    def is_written(self) -> bool:
        """Whether a line ever put rules in force."""
        return bool(self._seqs)

    @property
    def environments(self) -> frozenset[str]:
        """The names of all environments ever configured."""
        return frozenset(environment.name for rules in self._rules for environment in rules.environments)


def load_rulebook(db: Connection) -> RuleBook:
    """The rule book of the ledger."""
    book = RuleBook()
    for stored in find_lines_of_kind(db, "configuration"):
        book.add(stored.seq, rules_of(read_line(stored.line).configuration))
    return book


def rules_of(configuration: dict[str, Any] | None) -> Rules:
    """The rules in a `configuration` line."""
    return Rules.from_json(configuration or {})
