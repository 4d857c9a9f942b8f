"""What a filled ledger tells: many repositories, each with a build now and then that is tagged, and some deployed.

Every build pushes a release tag of its own and moves `latest`; every second one is deployed to staging, every fourth
to production; now and then a push is repeated, production rolled back, and a release tag overwritten.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

REPOSITORIES = 1_000


@dataclass(frozen=True, slots=True)
class Told:
    """One push: of which content, under which tag of which repository.

    Contents are numbered 1, 2, 3 ... by their first push, and each belongs to one repository. `was_here` tells that the
    tag pointed to this content before.
    """

    repository: int
    tag: str
    content: int
    is_release: bool = False
    was_here: bool = False


def tell(pushes: int, *, repositories: int = REPOSITORIES) -> Iterator[Told]:
    """The first so many pushes of a story that has no end."""
    return islice(_tell(repositories), pushes)


def name_of(repository: int) -> str:
    """A repository's name."""
    return f"team-{repository % 20:02d}/service-{repository:04d}"


def release_of(build: int) -> str:
    """The release tag of a repository's build (0, 1, 2 ...)."""
    return f"1.{build}.0"


def _tell(repositories: int) -> Iterator[Told]:
    content, in_production = 0, [0] * repositories
    for number in count():
        build, repository = divmod(number, repositories)
        content += 1
        yield Told(repository, release_of(build), content, is_release=True)
        yield Told(repository, "latest", content)
        if build % 10 == 7:
            yield Told(repository, "latest", content, was_here=True)
        if build % 2 == 0:
            yield Told(repository, "staging", content)
        if build % 4 == 0:
            yield Told(repository, "prod", content)
            if build % 40 == 36:
                yield Told(repository, "prod", in_production[repository], was_here=True)
            in_production[repository] = content
        if build % 100 == 51:
            content += 1
            yield Told(repository, release_of(build), content, is_release=True)
