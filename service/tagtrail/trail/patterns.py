"""Globs for repositories and tags, and regular expressions for tags, read into automata.

Every client with push access chooses tags, and Python's `re` backtracks: a careless expression and a well-chosen tag of
128 characters would block the intake for years. Rules are also permanent, and must mean the same under every future
Python. So tagtrail has its own small dialect, which every common engine understands alike, and matches it without
backtracking. Both kinds of pattern match the whole text.

Glob: `*` is any run of characters within one path segment, also none; `?` is one character of a segment;
`[abc]`, `[a-z]`, `[!abc]`, `[^abc]` are one character of the set, never `/`. `**` as a whole segment is any number
of segments, also none: `**` is every repository, `**/app` is `app` and `team/app`, `a/**/z` is `a/z` and `a/b/z`,
but `team/**` is what lies below `team`, without `team` itself. `**` beside other characters is any run of
characters across segments. Everything else stands for itself.

Expression: letters, digits, `_`, `-`; `.` any character; `\\d`, `\\w`, `\\D`, `\\W`; a backslash before any other
sign; `[...]` and `[^...]` with ranges; `(...)` and `(?:...)`; `|`; `*`, `+`, `?`, `{2}`, `{2,}`, `{2,5}`; `^` at the
very start and `$` at the very end (they change nothing); `(?i)` at the very start. There is no look-ahead and no
back-reference: an exception to a rule is an earlier rule.
"""

import re
import string
from collections.abc import Sequence
from functools import lru_cache, partial, reduce
from typing import Final

from tagtrail.trail.automaton import EMPTY, Automaton, Builder, Fragment, Letters, Make, build

REPOSITORY_ALPHABET: Final = string.ascii_lowercase + string.digits + "._-/"
TAG_ALPHABET: Final = string.ascii_letters + string.digits + "._-"

_LONGEST = 500  # characters of a pattern
_MOST_TIMES = 255  # in {m,n}: no repository or tag is longer
_COUNT = re.compile(r"(\d{1,3})(,(\d{1,3})?)?\}", re.ASCII)
_WORD = frozenset(string.ascii_letters + string.digits + "_")
_CLASSES = {"d": frozenset(string.digits), "w": _WORD}


@lru_cache(maxsize=2048)
def compile_glob(text: str, *, alphabet: str) -> Automaton:
    """The glob as an automaton. Raises ValueError with a predicate: what is wrong and the cure."""
    return build(_Glob(text, alphabet=alphabet).whole())


@lru_cache(maxsize=2048)
def compile_expression(text: str, *, alphabet: str) -> Automaton:
    """The regular expression as an automaton. Raises ValueError with a predicate: what is wrong and the cure."""
    return build(_Expression(text, alphabet=alphabet).whole())


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, text: str, *, alphabet: str) -> None:
        if not text:
            raise ValueError("is empty; write ** for every repository and * for every tag")
        if len(text) > _LONGEST:
            raise ValueError(f"has more than {_LONGEST} characters; split it into several rules")
        self.text = text
        self.at = 0
        self.alphabet = frozenset(alphabet)
        self.ignore_case = False

    def take(self, expected: str) -> bool:
        """Whether the pattern goes on with `expected`, which is then behind us."""
        found = self.text.startswith(expected, self.at)
        self.at += len(expected) if found else 0
        return found

    def following(self) -> str:
        """The next character, which is then behind us; empty at the end."""
        self.at += 1
        return self.text[self.at - 1 : self.at]

    def ended(self) -> bool:
        return self.at >= len(self.text)

    def literal(self, character: str) -> Letters:
        """The letters that a character of the pattern stands for."""
        cases = {character, character.swapcase()} if self.ignore_case else {character}
        letters = self.alphabet & cases
        if not letters:
            raise ValueError(
                f"has {character!r} (character {self.at}), which no name can hold; "
                "a repository has lower-case letters, digits and . _ - /, a tag letters, digits and . _ -"
            )
        return letters

    def letter_set(self, *, negations: str, letters: Letters) -> Letters:
        """The characters between `[` (already read) and `]`, out of `letters`."""
        opened = self.at
        if "]" not in self.text[opened:]:
            raise ValueError(f"has a [ (character {opened}) that is never closed; add the ]")
        negated = self.text[opened] in negations
        self.at += negated
        found: set[str] = set()
        while not self.take("]"):
            found |= self._member()
        kept = letters - found if negated else letters & found
        if not (found and kept):
            raise ValueError(f"has a [...] (character {opened}) that no character fits; correct it")
        return kept

    def _member(self) -> Letters:
        """One character of a set, or a range such as `a-z`."""
        start = self.following()
        if start == "\\":
            return self.escape()
        first = self.literal(start)
        if not self.text.startswith("-", self.at) or self.text.startswith("-]", self.at):
            return first
        self.at += 1
        end = self.following()
        members = [self.literal(chr(code)) for code in range(ord(start), ord(end) + 1) if self._known(code)]
        if not self.literal(end) or not members:
            raise ValueError(f"has the range {start}-{end}, which runs backwards; write it as {end}-{start}")
        return frozenset().union(*members)

    def _known(self, code: int) -> bool:
        return chr(code) in self.alphabet or (self.ignore_case and chr(code).swapcase() in self.alphabet)

    def escape(self) -> Letters:
        """The meaning of a backslash (already read) and the sign after it."""
        sign = self.following()
        if sign.lower() in _CLASSES:
            letters = self.alphabet & _CLASSES[sign.lower()]
            return letters if sign.islower() else self.alphabet - letters
        if not sign or sign.isalnum():
            raise ValueError(rf"has \{sign} (character {self.at}); of these only \d \w \D \W can be used")
        return self.literal(sign)


class _Glob(_Reader):
    def whole(self) -> Make:
        makes: list[Make] = []
        while not self.ended():
            makes.append(self._piece())
        return partial(_join, makes)

    def _piece(self) -> Make:
        segment = self.alphabet - {"/"}
        at_start = self.at == 0 or self.text[self.at - 1] == "/"
        if at_start and self.take("**/"):
            return partial(_segments, self.alphabet)
        if self.take("**"):
            return partial(_any_number, self.alphabet)
        if self.take("*"):
            return partial(_any_number, segment)
        if self.take("?"):
            return partial(_one, segment)
        if self.take("["):
            return partial(_one, self.letter_set(negations="!^", letters=segment))
        return partial(_one, self.literal(self.following()))


class _Expression(_Reader):
    def whole(self) -> Make:
        self.ignore_case = self.take("(?i)")
        self.take("^")
        make = self._choice()
        if not self.ended():
            raise ValueError(f"has a ) (character {self.at + 1}) that was never opened; add the ( or take it away")
        return make

    def _choice(self) -> Make:
        makes = [self._sequence()]
        while self.take("|"):
            makes.append(self._sequence())
        return partial(_either, makes)

    def _sequence(self) -> Make:
        makes: list[Make] = []
        while not self.ended() and self.text[self.at] not in "|)" and self.text[self.at :] != "$":
            makes.append(self._repeated(self._atom()))
        if not makes:
            raise ValueError(f"has an empty alternative (character {self.at + 1}); write (...)? for none")
        self.at += self.text[self.at :] == "$"
        return partial(_join, makes)

    def _atom(self) -> Make:
        opened = self.at + 1
        if self.take("("):
            self._refuse_extension(opened)
            make = self._choice()
            if not self.take(")"):
                raise ValueError(f"has a ( (character {opened}) that is never closed; add the )")
            return make
        return partial(_one, self._letters())

    def _refuse_extension(self, opened: int) -> None:
        if not self.take("?:") and self.take("?"):
            raise ValueError(
                f"has (?{self.following()} (character {opened}), of which only (?:...) can be used, and (?i) "
                "at the start; write an exception as an earlier rule"
            )

    def _letters(self) -> Letters:
        if self.take("["):
            return self.letter_set(negations="^", letters=self.alphabet)
        if self.take("."):
            return self.alphabet
        if self.take("\\"):
            return self.escape()
        sign = self.following()
        if sign in tuple("*+?{"):
            raise ValueError(f"has a {sign} (character {self.at}) with nothing to repeat; take it away")
        return self.literal(sign)

    def _repeated(self, make: Make) -> Make:
        times = self._times()
        if times is None:
            return make
        if self.text[self.at : self.at + 1] in tuple("*+?{"):
            raise ValueError(f"repeats a repetition (character {self.at + 1}); keep one of the two")
        return partial(Builder.repeat, make=make, least=times[0], most=times[1])

    def _times(self) -> tuple[int, int | None] | None:
        """How often the atom behind us stands; None when nothing is said."""
        for sign, least, most in (("*", 0, None), ("+", 1, None), ("?", 0, 1)):
            if self.take(sign):
                return least, most
        return self._counted() if self.take("{") else None

    def _counted(self) -> tuple[int, int | None]:
        """The numbers after `{` (behind us)."""
        counted = _COUNT.match(self.text, self.at)
        least = int(counted[1]) if counted else 0
        most = int(counted[3]) if counted and counted[3] else None if counted and counted[2] else least
        if not counted or not least <= (most or _MOST_TIMES) <= _MOST_TIMES or most == 0:
            raise ValueError(
                f"has a {{...}} (character {self.at}) that is no count; write {{2}}, {{2,}} or {{2,5}}, "
                f"with at most {_MOST_TIMES}"
            )
        self.at = counted.end()
        return least, most


def _one(letters: Letters, builder: Builder) -> Fragment:
    return builder.letter(letters)


def _any_number(letters: Letters, builder: Builder) -> Fragment:
    return builder.repeat(partial(_one, letters), least=0, most=None)


def _segments(alphabet: Letters, builder: Builder) -> Fragment:
    """Any number of whole segments with their slashes: what `**/` stands for."""
    path = [partial(_any_number, alphabet), partial(_one, frozenset("/"))]
    return builder.repeat(partial(_join, path), least=0, most=1)


def _join(makes: Sequence[Make], builder: Builder) -> Fragment:
    return reduce(builder.join, [make(builder) for make in makes], EMPTY)


def _either(makes: Sequence[Make], builder: Builder) -> Fragment:
    return reduce(builder.either, [make(builder) for make in makes])
