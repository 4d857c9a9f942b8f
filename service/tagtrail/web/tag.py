"""Soon."""

from typing import Final

from tagtrail.web.visit import Page, Visit


def make(visit: Visit, *, registry: str, repository: str, tag: str) -> str:
    return ""


TAG: Final = Page("tag", "/registries/<registry>/<repository:repository>:<tag:tag>", make)
