"""A list that is known whole, shown in numbered portions: which one a parameter asks for, and where the others are."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from tagtrail.errors import BadParameter

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Portion:
    """Which portion of a list is shown: items from number `first` up to (not including) `last`, of `count`.

    `before` and `after` are the queries of the neighbouring portions, None where there is none.
    """

    first: int
    last: int
    count: int
    before: str | None
    after: str | None

    @classmethod
    def of(cls, parameters: Mapping[str, str], name: str, count: int, *, size: int) -> "Portion":
        """The portion whose number, from 1, the parameter has; the last if there are fewer. Raises BadParameter."""
        text = parameters.get(name, "1")
        if not re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII):
            raise BadParameter(name, f"{name} is {text[:20]!r}; write the number of a part, such as 2")
        number = min(int(text), max(1, -(-count // size)))

        def query(other: int) -> str:
            return f"?{urlencode({**parameters, name: other})}"

        first, last = (number - 1) * size, min(number * size, count)
        return cls(
            first, last, count, query(number - 1) if number > 1 else None, query(number + 1) if last < count else None
        )

    def cut(self, items: Sequence[T]) -> Sequence[T]:
        """Its items."""
        return items[self.first : self.last]
