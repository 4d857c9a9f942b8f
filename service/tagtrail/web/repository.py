"""Soon."""

from typing import Final

from tagtrail.web.visit import Page, Visit


def make(visit: Visit, *, registry: str, repository: str) -> str:
    return ""


REPOSITORY: Final = Page("repository", "/registries/<registry>/<repository:repository>", make)
