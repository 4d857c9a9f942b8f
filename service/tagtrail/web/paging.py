"""Paging: links to the next and the first page of a list, by a cursor or by numbered portions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from tagtrail.errors import BadParameter
from tagtrail.store.filters import write_cursor
from tagtrail.store.query import Page

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paging:
    """The queries of the first and of the following page of a list; None where there is no such page."""

    first: str | None
    following: str | None

    @classmethod
    def of(cls, page: Page[Any], parameters: Mapping[str, str]) -> "Paging":
        """The links for a page of a list that these parameters asked for."""
        others = {name: text for name, text in parameters.items() if name != "cursor"}
        following = f"?{urlencode({**others, 'cursor': write_cursor(page.after)})}" if page.after else None
        return cls(f"?{urlencode(others)}" if "cursor" in parameters else None, following)


@dataclass(frozen=True, slots=True)
class Portion:
    """The shown portion of a list that is known whole: items `first` up to (not including) `last`, of `count`.

    `before` and `after` are the queries of the neighbouring portions, None where there is none.
    """

    first: int
    last: int
    count: int
    before: str | None
    after: str | None

    @classmethod
    def of(cls, parameters: Mapping[str, str], name: str, count: int, *, size: int) -> "Portion":
        """The portion with the number, from 1, in the parameter; the last if there are fewer. Raises BadParameter."""
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
        """The items of this portion."""
        return items[self.first : self.last]
