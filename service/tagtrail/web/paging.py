"""Where a list goes on: the address of its next page, and of its first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tagtrail.audit.cursors import write_cursor
from tagtrail.store.answers import Page


@dataclass(frozen=True, slots=True)
class Paging:
    """Queries that lead on: `following` to the next page, `first` back to the first, None where there is none."""

    first: str | None
    following: str | None

    @classmethod
    def of(cls, page: Page[Any], parameters: Mapping[str, str]) -> "Paging":
        """The way on from a page of a list that was asked for with these parameters."""
        others = {name: text for name, text in parameters.items() if name != "cursor"}
        following = f"?{urlencode({**others, 'cursor': write_cursor(page.after)})}" if page.after else None
        return cls(f"?{urlencode(others)}" if "cursor" in parameters else None, following)
