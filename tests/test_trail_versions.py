"""The order of a repository's tags."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtrail.trail.versions import version_key

TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,30}", fullmatch=True)


@pytest.mark.parametrize(
    "ordered",
    [
        ["1.9.0", "1.10.0", "1.10.1", "2.0.0", "10.0.0"],
        ["v1.9.0", "v1.10.0", "v2"],
        ["1", "1.0", "1.0.0", "1.0.1", "1.1", "1.1.0"],
        ["1.0.0", "v1.0.0", "1.0.1"],
        ["2.0.0-dev", "2.0.0-alpha", "2.0.0-alpha2", "2.0.0-beta1", "2.0.0-rc2", "2.0.0-rc10", "2.0.0"],
        ["2.0.0-nightly.20260420", "2.0.0-preview1", "2.0.0-rc.1", "2.0.0"],
        ["2.0.0a1", "2.0.0b1", "2.0.0rc1", "2.0.0", "2.0.0-1", "2.0.1"],
        ["1.9.9", "2.0.0-rc1", "2.0.0", "2.0.0-alpine", "2.0.0-alpine3.9", "2.0.0-alpine3.20", "2.0.1-rc1"],
        ["1.2.0", "1.2.0-1", "1.2.0-2", "1.2.0-10", "1.2.0_build5", "1.2.0_build12"],
        ["1.0.0", "2025-12-31", "2026-04-20", "20260421", "2026.04.22", "2026-04-22T1203", "20260423-1", "20260423-2"],
        ["1.0.0", "999", "1000", "build-9", "build-10", "latest", "prod", "release-1.9.0", "release-1.10.0"],
        ["1.0.0", "7692c3ad3540", "sha-5208e61", "stable"],
        ["9", "Main", "main", "main-2"],
    ],
)
def test_tags_are_sorted_in_this_order(ordered: list[str]) -> None:
    shuffled = random.Random(17).sample(ordered, len(ordered))  # noqa: S311 - the same order in each run
    assert sorted(shuffled, key=version_key) == ordered


@given(st.lists(TAGS, max_size=12))
def test_the_order_is_total_and_does_not_depend_on_the_order_before(tags: list[str]) -> None:
    assert sorted(tags, key=version_key) == sorted(sorted(tags), key=version_key)


@given(TAGS, TAGS)
def test_only_equal_tags_have_equal_keys(one: str, other: str) -> None:
    assert (version_key(one) == version_key(other)) == (one == other)


def test_numbers_of_any_length_are_compared() -> None:
    long = "1" + 127 * "0"
    assert sorted([long, "2"], key=version_key) == ["2", long]
