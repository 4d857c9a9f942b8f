"""A query's texts become a filter, or a sentence that names what cannot be read."""

import pytest

from tagtrail.errors import BadParameter
from tagtrail.store.filters import FILTERS, read_cursor, read_filter, read_instant, read_limit, write_cursor
from tagtrail.store.query import Filter
from tests.events import START, digest_of


def test_each_parameter_is_read() -> None:
    texts = {
        "registry": "main",
        "repository": "team/**",
        "tag": "1.0",
        "digest": "5208",
        "actor": "J. Döe <x@y>",
        "kind": "push",
        "environment": "production",
        "since": "2026-04-20T14:00:00+02:00",
        "until": "2026-04-20T12:00:00.000000001Z",
    }
    expected = Filter(
        registry="main",
        repository="team/**",
        tag="1.0",
        digest="5208",
        actor="J. Döe <x@y>",
        kind="push",
        environment="production",
        since=START,
        until=START + 1,
    )
    assert read_filter(texts, accepted=FILTERS) == expected
    assert read_filter({}, accepted=FILTERS) == Filter()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("repositry", "team/app", "did you mean repository?"),
        ("x", "1", "known are actor, channel, digest"),
        ("tag", "", "tag is empty"),
        ("tag", "a b", "is not a tag"),
        ("repository", "Team/App", "is neither a repository's name nor a glob"),
        ("repository", "team/[", "never closed"),
        ("repository", "*" * 501, "more than 500"),
        ("digest", "sha256:xyz/", "is not a digest"),
        ("digest", "%", "is not a digest"),
        ("kind", "pushed", "did you mean push?"),
        ("kind", "zzz", "known are push, delete"),
        ("since", "yesterday", "is not an RFC 3339 time"),
        ("until", "2026-02-30T00:00:00Z", "until: day is out of range"),
        ("actor", "\udc80", "is no Unicode text"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, text: str, sentence: str) -> None:
    with pytest.raises(BadParameter) as failure:
        read_filter({name: text}, accepted=FILTERS)
    assert failure.value.parameter == name
    assert sentence in str(failure.value)


def test_a_filter_that_the_question_has_no_use_for_is_refused() -> None:
    with pytest.raises(BadParameter, match="there is no parameter 'actor' here"):
        read_filter({"actor": "alice"}, accepted=("registry", "tag"))


def test_until_must_lie_after_since() -> None:
    with pytest.raises(BadParameter) as failure:
        read_filter({"since": "2026-04-20T12:00:00Z", "until": "2026-04-20T12:00:00Z"}, accepted=FILTERS)
    assert failure.value.parameter == "until"


def test_a_plus_that_a_query_turned_into_a_space_is_understood() -> None:
    assert read_instant("at", "2026-04-20T14:00:00 02:00") == START
    assert read_instant("at", "2026-04-20 12:00:00Z") == START


@pytest.mark.parametrize("text", ["0", "1001", "-1", "1.5", "x", "", "１０", "9" * 99])
def test_a_limit_is_a_number_from_1_to_1000(text: str) -> None:
    with pytest.raises(BadParameter, match="from 1 to 1000"):
        read_limit(text)


def test_a_cursor_is_read_back_as_it_was_written() -> None:
    key = (START, bytes(range(16)), "production", 7, -1)
    assert read_cursor(write_cursor(key), (int, bytes, str, int, int)) == key


@pytest.mark.parametrize(
    "text", ["", "x", "W10", "e30", "WzFd" * 9, "WyJhIl0", "WzEuNV0", "W3RydWVd", "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5XQ", "é"]
)
def test_a_cursor_of_another_list_is_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="no such cursor"):
        read_cursor(text, (int,))


def test_a_cursor_with_a_lone_surrogate_is_refused() -> None:
    from base64 import urlsafe_b64encode

    with pytest.raises(BadParameter, match="no such cursor"):
        read_cursor(urlsafe_b64encode(b'["\\ud800"]').decode(), (str,))


def test_a_whole_digest_is_a_filter_too() -> None:
    assert read_filter({"digest": digest_of("a")}, accepted=FILTERS).digest == digest_of("a")
