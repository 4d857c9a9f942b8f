"""What lies between two instants: the differences lead from the one state to the other."""

import random

import pytest

from tagtrail.store.compare import find_compared, name_manifests
from tagtrail.store.query import Filter, Query
from tagtrail.store.tags import find_tags
from tagtrail.trail.instant import SECOND
from tagtrail.trail.moves import Delete, Moment, Push, derive_moves, find_differences
from tagtrail.trail.rules import Rules
from tests.api_client import some_events
from tests.conftest import Ledger
from tests.events import START, digest_of, envelope

EVENTS = 120
State = dict[tuple[str, str], str]


def state(ledger: Ledger, asked: Filter, *, at: int) -> State:
    """What every tag points at, as the tags' own question tells it."""
    page = find_tags(ledger.store.reader(), Query(Rules(), asked, 1_000, at=at))
    return {(found.repository, found.tag): found.digest for found in page.items}


def apply(ledger: Ledger, asked: Filter, before: State, *, since: int, until: int) -> State:
    """The state after the differences were applied to it; each must begin with what is there."""
    db = ledger.store.reader()
    compared = find_compared(db, asked, since=since, until=until)
    assert (compared.since, compared.until) == (since, until)
    differences = find_differences(compared.moves)
    ids = {each for found in differences.values() for each in (found.was, found.became) if each is not None}
    named = name_manifests(db, ids, at=until)
    after = dict(before)
    for tag, found in differences.items():
        key = (tag.repository.name, tag.name)
        assert after.pop(key, None) == (named[found.was].digest if found.was else None)
        after |= {key: named[found.became].digest} if found.became else {}
    return after


@pytest.mark.parametrize("seed", [1, 2])
def test_the_differences_applied_to_the_first_state_give_the_second(ledger: Ledger, seed: int) -> None:
    ledger.receive_body(envelope(*some_events(seed, EVENTS)))
    chance = random.Random(seed)  # noqa: S311 - no secret
    for asked in (Filter(), Filter(repository="team/*"), Filter(repository="solo"), Filter(registry="other")):
        for _ in range(12):
            since, until = sorted(START + chance.randrange(EVENTS * 2) * SECOND // 2 for _ in range(2))
            before, after = (state(ledger, asked, at=at) for at in (since, until))
            assert apply(ledger, asked, before, since=since, until=until) == after


def test_a_tag_that_came_back_after_its_deletion_named_nothing_before() -> None:
    facts: list[Push[str] | Delete[str]] = [
        Push(Moment(1, b""), 1, "one"),
        Delete(Moment(2, b""), 2),
        Push(Moment(3, b""), 3, "two"),
    ]
    moves = derive_moves(facts)
    assert moves[-1].previous == "one"  # what it named last
    found = find_differences([("prod", moves[-1])])["prod"]
    assert (found.was, found.became) == (None, "two")


def test_a_tag_that_went_there_and_back_came_to_nothing_whatever_order_its_moves_come_in() -> None:
    facts = [Push(Moment(at, b""), at, digest) for at, digest in enumerate(["one", "two", "one", "three"])]
    moves = derive_moves(facts)
    found = find_differences(("prod", move) for move in reversed(moves[1:3]))["prod"]
    assert found.came_to_nothing
    assert [move.seq for move in found.moves] == [1, 2]
    assert not find_differences(("prod", move) for move in moves[2:])["prod"].came_to_nothing


def test_more_than_can_be_compared_begins_later_and_is_whole_from_there(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tagtrail.store.compare.MOST_COMPARED", 10)
    ledger.receive_body(envelope(*some_events(3, EVENTS)))
    db, until = ledger.store.reader(), START + EVENTS * SECOND
    compared = find_compared(db, Filter(), since=START, until=until)
    assert compared.since > START
    assert 0 < len(compared.moves) <= 10
    before, after = (state(ledger, Filter(), at=at) for at in (compared.since, until))
    assert apply(ledger, Filter(), before, since=compared.since, until=until) == after
    assert digest_of("a") in {*before.values(), *after.values()}
