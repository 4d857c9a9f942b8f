"""Soon."""

from typing import Final

from tagtrail.web.visit import Page, Visit


def make(visit: Visit, *, seq: int) -> str:
    return ""


ENTRY: Final = Page("entry", "/log/<int:seq>", make)
