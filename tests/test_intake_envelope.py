"""Bodies of every kind: recorded by real registries, odd ones, random damage; nothing is lost, nothing raises."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagtrail.access.tokens import Sender
from tagtrail.intake.envelope import read_body
from tagtrail.intake.wire import split_envelope
from tagtrail.ledger.submission import Counted, Draft, Item
from tagtrail.line import LONGEST, disclosed_value, write_line
from tagtrail.trail.instant import DAY
from tests.events import INDEX, START, SomeEvent, digest_of, envelope, push

SENDER = Sender("main", authenticates=True)
NOW = START + DAY
GOOD = push("1.0.0", "good", 1).as_dict()


def read(body: bytes) -> list[Item]:
    return read_body(body, SENDER, received_at=NOW)


def kinds(items: list[Item]) -> list[str]:
    return [item.entry.kind if isinstance(item, Draft) else item.action for item in items]


def reason(item: Item) -> str:
    assert isinstance(item, Draft)
    assert item.entry.kind == "quarantined"
    return item.entry.reason or ""


def with_raw_event(raw: bytes) -> bytes:
    """An envelope with a good event, this text in an event's place, and another good event."""
    return b'{"events": [%b, %b, %b]}' % (json.dumps(GOOD).encode(), raw, json.dumps(GOOD).encode())


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id": "\\ud800"}',
        b'{"id": NaN, "x": -Infinity}',
        b"[" * 200_000 + b"]" * 200_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"size": ' + b"9" * 5_000 + b"}",
        b'{"id": "\xff\xfe"}',
        b'{"id": "\x00"}',
        b'{"id": "a ] } , \\" [ {"}',
        b"null",
        b"1e999",
        b'"text"',
        b"[]",
        b"{}",
        b'{"id": tru}',
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_a_bad_event_loses_no_good_one_beside_it(raw: bytes) -> None:
    items = read(with_raw_event(raw))
    assert kinds(items) == ["push", "quarantined", "push"]
    bad = items[1]
    assert isinstance(bad, Draft)
    assert bad.raw is not None
    kept = json.loads(disclosed_value(bad.raw))
    if isinstance(kept, str):
        assert kept.encode() == raw
    else:
        assert list(kept) == ["base64"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"null", b"[]", b'"x"', b"{", b"{}", b'{"events": null}', b'{"events": {}}', b'{"events": 1}',
        b'{"events": [', b'{"events": [{}', b'{"events": [}]', b'{"events": []', b'{"events": [1]]', b"\xff\xfe",
        b'{"Events": []}', b"[" * 200_000, b'{"events":' + b"[" * 200_000, b"<html>", b'{"events": [{}], ',
    ],
)  # fmt: skip
def test_a_body_that_is_no_envelope_is_kept_whole(body: bytes) -> None:
    [item] = read(body)
    assert reason(item)
    assert isinstance(item, Draft)
    assert item.entry.size == len(body)


def test_an_empty_envelope_brings_nothing() -> None:
    assert read(b'{"events": []}') == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 300}, "id"),
        ({"id": 7}, "$.id"),
        ({"timestamp": "yesterday"}, "RFC 3339"),
        ({"timestamp": "2026-02-30T00:00:00Z"}, "day is out of range"),
        ({"timestamp": "0001-01-01T00:00:00Z"}, "1970"),
        ({"timestamp": "2031-01-01T00:00:00Z"}, "ahead"),
        ({"action": "explode"}, "no action"),
        ({"action": ""}, "no action"),
        ({"target": {"repository": "Team/App", "digest": digest_of("a")}}, "repository name"),
        ({"target": {"repository": "a" * 256, "digest": digest_of("a")}}, "repository name"),
        ({"target": {"repository": "../etc", "digest": digest_of("a")}}, "repository name"),
        ({"target": {"digest": digest_of("a")}}, "repository"),
        ({"target": {"repository": "team/app", "tag": "<script>", "digest": digest_of("a")}}, "not a tag"),
        ({"target": {"repository": "team/app", "tag": "t" * 129, "digest": digest_of("a")}}, "not a tag"),
        ({"target": {"repository": "team/app", "tag": "1.0.0"}}, "without a digest"),
        ({"target": {"repository": "team/app", "digest": "sha256:abc"}}, "not a digest"),
        ({"target": {"repository": "team/app", "digest": digest_of("a").upper()}}, "not a digest"),
        ({"target": []}, "$.target"),
    ],
)
def test_what_does_not_fit_is_quarantined_with_the_reason(change: dict[str, Any], expected: str) -> None:
    [item] = read(json.dumps({"events": [GOOD | change]}).encode())
    assert expected in reason(item)


def test_an_odd_name_beside_the_point_does_not_hold_an_event_back() -> None:
    event = push("1.0.0", "a", 1, host="evil\nhost", agent="<script>\x1b[31m", actor="a\u202eb", instance="x" * 999)
    [item] = read(envelope(event))
    assert isinstance(item, Draft)
    assert (item.entry.kind, item.entry.host, item.entry.instance) == ("push", None, None)
    assert item.raw is not None
    assert json.loads(disclosed_value(item.raw)) == event.as_dict()


def test_who_is_committed_to_and_not_in_the_line() -> None:
    [item] = read(envelope(push("1.0.0", "a", 1, actor="alice")))
    assert isinstance(item, Draft)
    assert item.who is not None
    assert json.loads(disclosed_value(item.who)) == {
        "actor": "alice", "address": "192.0.2.7:40000", "user_agent": "docker/27",
    }  # fmt: skip
    assert item.entry.actor_assurance == "verified"
    assert "alice" not in repr(item.entry)


@pytest.mark.parametrize(
    ("actor", "authenticates", "worth"), [("a", True, "verified"), ("a", False, "claimed"), ("", True, "absent")]
)
def test_an_actor_is_worth_what_the_registry_knows_of_it(actor: str, authenticates: bool, worth: str) -> None:
    body = envelope(push("1.0.0", "a", 1, actor=actor))
    [item] = read_body(body, Sender("main", authenticates), received_at=NOW)
    assert isinstance(item, Draft)
    assert item.entry.actor_assurance == worth


@pytest.mark.parametrize("digest", [digest_of("a"), "odd:" + "x" * 250])
def test_a_large_index_fits_into_a_line_and_says_what_was_left_out(digest: str) -> None:
    platform = {"os": "\N{ROCKET}" * 99, "architecture": "\N{ROCKET}" * 99, "variant": "\N{ROCKET}" * 99}
    references = tuple({"mediaType": "x", "digest": digest, "platform": platform} for _ in range(300))
    [item] = read(envelope(push("1.0.0", "a", 1, media_type=INDEX, references=references)))
    assert isinstance(item, Draft)
    assert len(item.entry.references) + item.entry.references_left_out == 300
    assert len(item.entry.references) > 50
    assert len(write_line(item.entry)) < LONGEST


@pytest.mark.parametrize("size", [-1, 0, 2**63, 2**64])
def test_an_impossible_size_is_left_out(size: int) -> None:
    event = push("1.0.0", "a", 1).as_dict()
    event["target"]["size"] = size
    [item] = read(json.dumps({"events": [event]}).encode())
    assert isinstance(item, Draft)
    assert item.entry.size is None


def test_an_endless_string_is_looked_at_once() -> None:
    """A text of this kind once took hours: every quote in it was tried as a beginning."""
    [item] = read(b'{"events":["' + b'\\"' * 500_000)
    assert reason(item)


def test_an_envelope_with_thousands_of_events_is_kept_apart_whole() -> None:
    [item] = read(b'{"events":[' + b",".join([b"1"] * 5_001) + b"]}")
    assert "more than 5000 events" in reason(item)
    assert len(read(b'{"events":[' + b",".join([b"1"] * 600) + b"]}")) == 600


def test_a_long_user_agent_is_cut_where_it_is_asked_for_and_whole_in_the_raw_event() -> None:
    [item] = read(envelope(push("1.0.0", "a", 1, agent="x" * 100_000)))
    assert isinstance(item, Draft)
    assert item.who is not None
    assert item.raw is not None
    assert len(json.loads(disclosed_value(item.who))["user_agent"]) == 1_000
    assert len(json.loads(disclosed_value(item.raw))["request"]["useragent"]) == 100_000


def test_a_local_offset_and_nine_decimals_are_kept_to_the_nanosecond() -> None:
    [item] = read(json.dumps({"events": [GOOD | {"timestamp": "2026-04-20T14:00:01.123456789+02:00"}]}).encode())
    assert isinstance(item, Draft)
    assert item.entry.occurred == "2026-04-20T12:00:01.123456789Z"


def test_counted_events_carry_what_they_are_counted_by() -> None:
    event = SomeEvent(action="pull", digest=digest_of("a"), tag="1.0.0", method="HEAD", at=3)
    [item] = read(envelope(event))
    assert isinstance(item, Counted)
    assert (item.action, item.day, item.registry) == ("head_manifest", "2026-04-20", "main")


@settings(max_examples=150)
@given(st.data())
def test_random_damage_never_raises_and_never_disappears(data: st.DataObject) -> None:
    body = bytearray(envelope(push("1.0.0", "a", 1), push(None, "b", 2), push("x", "c", 3, action="pull")))
    for _ in range(data.draw(st.integers(0, 6))):
        if not body:
            break
        at = data.draw(st.integers(0, len(body) - 1))
        edit = data.draw(st.sampled_from(["flip", "drop", "insert", "cut"]))
        if edit == "flip":
            body[at] = data.draw(st.integers(0, 255))
        elif edit == "drop":
            del body[at]
        elif edit == "insert":
            body[at:at] = data.draw(st.binary(max_size=6))
        else:
            del body[max(at, 1) :]
    assert read(bytes(body)) or json.loads(body)["events"] == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from([*GOOD, *GOOD["target"], "events"]), json_values))
def test_random_values_in_an_event_never_raise(changes: dict[str, Any]) -> None:
    event = GOOD | {key: value for key, value in changes.items() if key in GOOD}
    event["target"] = GOOD["target"] | {key: value for key, value in changes.items() if key in GOOD["target"]}
    [item] = read(json.dumps({"events": [event]}).encode("utf-8", "surrogatepass"))
    assert kinds([item])[0] in (
        "push",
        "delete",
        "quarantined",
        "mount_blob",
        "push_blob",
        "pull_blob",
        "pull_manifest",
    )


def test_the_bracket_splitter_agrees_with_the_decoder() -> None:
    good = json.dumps(GOOD).encode()
    body = b' {"events" : [ ' + good + b" ,\n" + good + b" ] } "
    assert split_envelope(body) == [good, good]
    assert split_envelope(body.replace(b'"tag"', b'"tag": NaN, "x"', 1))[1] == good
