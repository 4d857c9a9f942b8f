"""Automata over a small alphabet: they match a text in time proportional to its length and never backtrack.

The positions of Glushkov's construction: every letter of a pattern is a position, and a match is a walk from
position to position. Which positions a letter leads to is worked out when first needed and then remembered.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Letters = frozenset[str]
State = frozenset[int]  # the positions at which a walk may be
Make = Callable[["Builder"], "Fragment"]

_MOST_POSITIONS = 500
_MOST_STEPS = 10_000  # from one position to another; bounds the work for each letter of a text
_REMEMBERED = 4_096
_MOST_SEARCHED = 5_000
_START: State = frozenset({0})


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a pattern: whether it matches nothing at all, and the positions it begins and ends with."""

    empty: bool
    first: State
    last: State


EMPTY = Fragment(empty=True, first=frozenset(), last=frozenset())


class Builder:
    """Collects the positions of one pattern, part by part. Raises ValueError when they become too many."""

    def __init__(self) -> None:
        self.letters: list[Letters] = [frozenset()]
        self.follow: list[set[int]] = [set()]
        self.steps = 0

    def letter(self, letters: Letters) -> Fragment:
        """One character out of `letters`."""
        position = len(self.letters)
        if position > _MOST_POSITIONS:
            raise ValueError("is too large; split it into several rules")
        self.letters.append(letters)
        self.follow.append(set())
        return Fragment(empty=False, first=frozenset({position}), last=frozenset({position}))

    def join(self, one: Fragment, other: Fragment) -> Fragment:
        """One part and then the other."""
        self._connect(one.last, other.first)
        return Fragment(
            empty=one.empty and other.empty,
            first=one.first | other.first if one.empty else one.first,
            last=one.last | other.last if other.empty else other.last,
        )

    def either(self, one: Fragment, other: Fragment) -> Fragment:
        """One part or the other."""
        return Fragment(empty=one.empty or other.empty, first=one.first | other.first, last=one.last | other.last)

    def repeat(self, make: Make, *, least: int, most: int | None) -> Fragment:
        """`least` to `most` times what `make` makes; `None` is without end. `most` is at least 1."""
        if most is None:
            part = self._loop(make(self))
            part = part if least else optional(part)
            least = max(least - 1, 0)
        else:
            part = EMPTY
            for _ in range(most - least):
                part = optional(self.join(make(self), part))
        for _ in range(least):
            part = self.join(make(self), part)
        return part

    def _loop(self, part: Fragment) -> Fragment:
        self._connect(part.last, part.first)
        return part

    def _connect(self, last: State, first: State) -> None:
        for position in last:
            before = len(self.follow[position])
            self.follow[position] |= first
            self.steps += len(self.follow[position]) - before
        if self.steps > _MOST_STEPS:
            raise ValueError("is too intricate; split it into several rules")


def optional(part: Fragment) -> Fragment:
    """The part or nothing."""
    return Fragment(empty=True, first=part.first, last=part.last)


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """A pattern ready to match. Safe to share between threads."""

    letters: tuple[Letters, ...] = field(repr=False)
    follow: tuple[State, ...] = field(repr=False)
    accepting: State = field(repr=False)
    _remembered: dict[tuple[State, str], State] = field(default_factory=dict, init=False, repr=False)

    def matches(self, text: str) -> bool:
        """Whether the pattern matches the whole text."""
        state = _START
        for character in text:
            state = self.step(state, character)
            if not state:
                return False
        return self.accepts(state)

    def accepts(self, state: State) -> bool:
        """Whether a text may end here."""
        return not state.isdisjoint(self.accepting)

    def step(self, state: State, character: str) -> State:
        """The state after the character, from `state`; an empty state can never become a match again."""
        known = self._remembered.get((state, character))
        if known is None:
            known = frozenset(
                follower
                for position in state
                for follower in self.follow[position]
                if character in self.letters[follower]
            )
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[state, character] = known
        return known


def build(make: Make) -> Automaton:
    """The automaton of a whole pattern. Raises ValueError when it is too large to be matched quickly."""
    builder = Builder()
    part = make(builder)
    builder.follow[0] |= part.first
    return Automaton(
        letters=tuple(builder.letters),
        follow=tuple(frozenset(followers) for followers in builder.follow),
        accepting=part.last | _START if part.empty else part.last,
    )


def find_common(every: Sequence[Automaton], *, alphabet: str, none: Sequence[Automaton] = ()) -> str | None:
    """The shortest text that every pattern of `every` matches and no pattern of `none`; None: there is none.

    Raises ValueError when the patterns are too intricate to tell.
    """
    automata = (*every, *none)
    start = (_START,) * len(automata)
    seen, waiting = {start}, deque([("", start)])
    while waiting:
        text, states = waiting.popleft()
        verdicts = [automaton.accepts(state) for automaton, state in zip(automata, states, strict=True)]
        if all(verdicts[: len(every)]) and not any(verdicts[len(every) :]):
            return text
        for character in alphabet:
            reached = tuple(a.step(state, character) for a, state in zip(automata, states, strict=True))
            if all(reached[: len(every)]) and reached not in seen:
                seen.add(reached)
                waiting.append((text + character, reached))
        if len(seen) > _MOST_SEARCHED:
            raise ValueError("is too intricate to be checked; split it into several rules")
    return None
