"""Soon."""

from typing import Final

from tagtrail.web.visit import Page, Visit


def make(visit: Visit, *, seq: int, environment: str) -> str:
    return ""


DEPLOYMENT: Final = Page("deployment", "/deployments/<int:seq>/<environment>", make)
