"""The story that the tests and `make demo` push to a real registry: releases, moving tags, a rollback, mistakes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.real import Layout, Registry

APP = "team/myapp"
USERS = ("alice", "bob", "carol")


@dataclass(frozen=True, slots=True)
class Digests:
    """The digests of the story's images, by name."""

    first: str
    second: str
    overwritten: str
    index: str
    spare: str


def tell_story(registry: Registry, directory: Path, *, say: Callable[[str], None] = lambda text: None) -> Digests:
    """Push the whole story; each step ends before the next begins.

    If the registry authenticates its users, it must know USERS.
    """
    layout = Layout(directory)
    digests = Digests(
        first=layout.image("first", "version 1.0.0"),
        second=layout.image("second", "version 1.1.0"),
        overwritten=layout.image("overwritten", "version 1.0.0, built again"),
        index=layout.index("index", "version 2.0.0"),
        spare=layout.image("spare", "to be deleted"),
    )

    def push(name: str, *tags: str, repository: str = APP) -> None:
        for tag in tags:
            registry.push(directory, name, f"{repository}:{tag}")
        registry.delivered()

    say("alice releases 1.0.0, and moves stable and prod to it")
    push("first", "1.0.0", "stable", "prod")
    say("alice releases 1.1.0, then moves stable and prod to it")
    push("second", "1.1.0")
    push("second", "stable", "prod")
    say("alice pushes a multi-platform image")
    push("index", "2.0.0", repository="team/multi")
    say("alice pushes 1.1.0 again: the same digest, so nothing moves")
    push("second", "1.1.0")
    say("bob rolls prod back")
    registry.act_as("bob")
    push("first", "prod")
    say("carol overwrites the release tag 1.0.0 with another digest, by mistake")
    registry.act_as("carol")
    push("overwritten", "1.0.0")
    say("carol pushes an image as latest only and releases it to staging: no release tag names it")
    push("spare", "latest", "staging", repository="team/worker")
    say("carol deletes a manifest")
    registry.delete("team/worker", digests.spare)
    registry.delivered()
    return digests
