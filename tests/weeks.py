"""Eight weeks of a small company's pushes, as a registry would have sent them: the same each time, but for the end."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tagtrail.trail.instant import SECOND
from tests.events import START, SomeEvent, delete_tag, push

DAY = 86_400.0
WEEKS = 8
_PACES = {"team/web": 0.7, "team/billing": 0.4, "platform/gateway": 0.3, "platform/search-indexer": 0.15}  # a day
_PEOPLE = ("alice", "bob", "carol", "dave", "ci-pipeline")


def weeks(until: int, *, count: int = WEEKS, seed: int = 5) -> list[SomeEvent]:
    """The events of the last weeks before the instant `until`, the oldest first."""
    end = (until - START) / SECOND
    told = [  # chance that nothing depends on
        event
        for name, pace in _PACES.items()
        for event in _Team(name, pace, random.Random(f"{seed} {name}")).tell()  # noqa: S311
    ]
    return sorted(
        (replace(event, at=event.at + end) for event in told if -count * 7 * DAY < event.at < 0),
        key=lambda event: event.at,
    )


@dataclass
class _Team:
    """Whoever works on one repository; their times are in seconds before the end, and so negative."""

    repository: str
    pace: float
    chance: random.Random
    releases: list[str] = field(default_factory=list)
    version: tuple[int, int, int] = (1, 0, 0)

    def tell(self) -> Iterator[SomeEvent]:
        at = -WEEKS * 7 * DAY
        while at < 0:
            at += self.chance.expovariate(self.pace) * DAY + 600
            if len(self.releases) > 3 and self.chance.random() < 0.2:
                yield self._push("prod", self.chance.choice(self.releases[-4:-1]), at)  # back to an earlier one
            else:
                yield from self._release(at)
            if self.releases and self.chance.random() < 0.05:  # built again under the same name
                yield replace(self._push(self.releases[-1], f"again at {at}", at + 900), actor="mallory")
            if self.chance.random() < 0.04:
                yield delete_tag("staging", at + 1_000, repository=self.repository, actor=self._somebody())

    def _release(self, at: float) -> Iterator[SomeEvent]:
        release = self._next_version()
        self.releases.append(release)
        yield self._push(release, release, at)
        yield self._push("staging", release, at + 40)
        if self.chance.random() < 0.6:
            later = at + 600 + self.chance.random() * 0.4 * DAY
            yield self._push("stable", release, later)
            yield self._push("prod", release, later + 5)

    def _next_version(self) -> str:
        major, minor, patch = self.version
        self.version = (major, minor + 1, 0) if self.chance.random() < 0.3 else (major, minor, patch + 1)
        return ".".join(str(number) for number in self.version)

    def _push(self, tag: str, content: str, at: float) -> SomeEvent:
        return push(tag, f"{self.repository} {content}", at, repository=self.repository, actor=self._somebody())

    def _somebody(self) -> str:
        return self.chance.choice(_PEOPLE)
