"""Which tags get lanes of their own, in which order, and which are folded into the one lane of quiet release tags."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tagtrail.store.questions.timeline import Activity, Change, KnownTag


@dataclass(frozen=True, slots=True)
class Folding:
    """The tags with lanes of their own, the most telling first, and those that are folded: release tags at rest."""

    own: tuple[KnownTag, ...]
    folded: tuple[KnownTag, ...]


def fold_tags(
    tags: Sequence[KnownTag],
    *,
    activity: Mapping[int, Activity],
    standing: Mapping[int, Change],
    is_release: Callable[[str], bool],
    environment_tags: Sequence[str],
) -> Folding:
    """The tags that have anything to show in a range.

    First those that mean an environment, in the configuration's order, then release tags that were violated, then
    what moved, the latest first, and last what merely stood.
    """
    own: list[KnownTag] = []
    folded: list[KnownTag] = []
    for tag in tags:
        done, stood = activity.get(tag.id), standing.get(tag.id)
        if done is None and (stood is None or stood.manifest_id is None):
            continue
        (folded if is_release(tag.name) and _is_quiet(done) else own).append(tag)
    places = {name: place for place, name in enumerate(environment_tags)}

    def key(tag: KnownTag) -> tuple[int, int, int, str]:
        done = activity.get(tag.id)
        moved = done.newest.occurred_at if done else 0
        return places.get(tag.name, len(places)), 0 if is_release(tag.name) else 1, -moved, tag.name

    return Folding(tuple(sorted(own, key=key)), tuple(folded))


def _is_quiet(done: Activity | None) -> bool:
    """Whether all that a release tag did in the range was to be created, if that."""
    return done is None or (done.moves == 1 and not done.newest.violates and done.newest.kind == "created")


def share(counts: Iterable[int], total: int) -> int:
    """The most that each lane may read, so that all together read no more than the total.

    A lane that needs less leaves the rest to the others.
    """
    waiting = sorted(counts)
    left = total
    for place, count in enumerate(waiting):
        level = left // (len(waiting) - place)
        if count > level:
            return level
        left -= count
    return total


def join(changes: Sequence[Change]) -> tuple[int, ...]:
    """Where the stretches of a lane of many tags begin: tags that name one digest one after another are one stretch."""
    return tuple(
        place
        for place, change in enumerate(changes)
        if not place or change.manifest_id != changes[place - 1].manifest_id
    )
