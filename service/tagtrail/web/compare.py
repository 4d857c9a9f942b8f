"""Soon."""

from typing import Final

from tagtrail.web.visit import Page, Visit


def make(visit: Visit) -> str:
    return ""


COMPARE: Final = Page("compare", "/compare", make)
