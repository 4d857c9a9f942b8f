"""Any order, repetition and splitting of the same events gives the same trail, and the one a naive model gives."""

import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.trail.moves import Delete, Interval, Moment, Push, derive_moves, intervals
from tests.checker import check_ledger
from tests.conftest import Clock, Ledger
from tests.events import SomeEvent, delete_digest, delete_repository, delete_tag, envelope, push

TAGS = ("1.0.0", "prod", "staging")
CONTENTS = ("a", "b", "c")

instants = st.integers(min_value=0, max_value=12)  # few, so that ties are common
an_event = st.one_of(
    st.builds(push, st.sampled_from(TAGS), st.sampled_from(CONTENTS), instants),
    st.builds(push, st.none(), st.sampled_from(CONTENTS), instants),
    st.builds(delete_tag, st.sampled_from(TAGS), instants),
    st.builds(delete_digest, st.sampled_from(CONTENTS), instants),
    st.builds(delete_repository, instants),
)
some_events = st.lists(an_event, max_size=14).map(
    lambda events: [replace(event, id=f"event-{number}") for number, event in enumerate(events)]
)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[SomeEvent], list[list[SomeEvent]]]:
    """Some events; and the same ones shuffled, some of them twice, split into envelopes."""
    events = draw(some_events)
    repeated = draw(st.lists(st.sampled_from(events), max_size=4)) if events else []
    shuffled = draw(st.permutations(events + repeated))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    return events, [shuffled[start:end] for start, end in pairwise([0, *cuts, len(shuffled)])]


def what_the_trail_says(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    """Heads, moves and deployments without the numbers that depend on the order of arrival."""
    return {
        "heads": ledger.rows(
            "SELECT tags.name, digest, head_since FROM tags LEFT JOIN manifests ON manifests.id = head_id"
            " WHERE head_since IS NOT NULL ORDER BY 1"
        ),
        "moves": ledger.rows(
            "SELECT tags.name, moves.occurred_at, moves.event, kind, now.digest, before.digest, until, is_release,"
            " violates FROM moves JOIN tags ON tags.id = tag_id LEFT JOIN manifests now ON now.id = manifest_id"
            " LEFT JOIN manifests before ON before.id = previous_id ORDER BY 1, 2, 3"
        ),
        "publications": ledger.rows(
            "SELECT environment, occurred_at, event, digest, direction, until FROM publications"
            " LEFT JOIN manifests ON manifests.id = manifest_id ORDER BY 1, 2, 3, tag_id"
        ),
    }


def take_in(envelopes: list[list[SomeEvent]], directory: str) -> dict[str, list[tuple[object, ...]]]:
    store = Store(Path(directory))
    store.prepare()
    ledger = Ledger(store, Recorder(store, clock=Clock()), Clock())
    for events in envelopes:
        ledger.receive_body(envelope(*events))
    said = what_the_trail_says(ledger)
    check_ledger(store)
    store.close()
    return said


@settings(max_examples=60)
@given(deliveries())
def test_the_order_of_arrival_changes_nothing(delivered: tuple[list[SomeEvent], list[list[SomeEvent]]]) -> None:
    events, shuffled = delivered
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        in_order = sorted(events, key=lambda event: event.at)
        assert take_in([[event] for event in in_order], one) == take_in(shuffled, other)


facts = st.lists(
    st.one_of(
        st.builds(
            Push, st.builds(Moment, instants, st.binary(min_size=2, max_size=2)), st.just(0), st.sampled_from(CONTENTS)
        ),
        st.builds(
            Delete,
            st.builds(Moment, instants, st.binary(min_size=2, max_size=2)),
            st.just(0),
            st.one_of(st.none(), st.sampled_from(CONTENTS)),
        ),
    ),
    max_size=30,
    unique_by=lambda fact: fact.moment,
)


def digest_at(found: list[Push[str] | Delete[str]], instant: int) -> str | None:
    """The naive model: play all that happened until then."""
    digest: str | None = None
    for fact in sorted(found, key=lambda fact: fact.moment):
        if fact.moment.occurred_at > instant:
            break
        if isinstance(fact, Push):
            digest = fact.digest
        elif fact.digest in (None, digest):
            digest = None
    return digest


@given(facts)
def test_a_point_in_time_is_what_the_naive_model_says(found: list[Push[str] | Delete[str]]) -> None:
    spans = intervals(derive_moves(found))
    for instant in range(-1, 14):
        covering = [
            span.digest for span in spans if span.since <= instant and (span.until is None or instant < span.until)
        ]
        assert covering == [digest for digest in [digest_at(found, instant)] if digest is not None]


@given(facts)
def test_intervals_never_overlap_and_every_move_changes_the_head(found: list[Push[str] | Delete[str]]) -> None:
    moves = derive_moves(found)
    for earlier, later in pairwise(intervals(moves)):
        assert earlier.until is not None
        assert earlier.since <= earlier.until <= later.since
    for before, after in pairwise(moves):
        assert before.digest != after.digest
        assert before.moment < after.moment


def test_an_interval_ends_where_the_next_move_happens() -> None:
    found = [Push(Moment(at, b""), at, digest) for at, digest in ((1, "a"), (5, "b"), (9, "a"))]
    assert intervals(derive_moves(found)) == [Interval("a", 1, 5), Interval("b", 5, 9), Interval("a", 9, None)]
