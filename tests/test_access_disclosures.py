"""Who has read what about people, in bounded memory."""

from dataclasses import replace

import pytest

from tagtrail.access import disclosures as recording
from tagtrail.access.disclosures import Disclosure, DisclosureLog
from tests.conftest import Ledger

READING = Disclosure("json", "/api/v1/tags", "", "board")


def test_another_caller_or_format_or_question_is_another_reading(ledger: Ledger) -> None:
    readings = DisclosureLog(ledger.recorder)
    different = [
        READING,
        replace(READING, token="other"),
        replace(READING, token=None, user="board"),
        replace(READING, format="csv"),
        replace(READING, path="/api/v1/entries"),
        replace(READING, query="limit=1"),
    ]
    for reading in different * 2:
        readings.record(reading, address="192.0.2.1", user_agent="curl")
    assert ledger.rows("SELECT count(*) FROM lines") == [(len(different),)]


def test_beyond_its_memory_a_reading_is_recorded_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "REMEMBERED", 2)
    readings = DisclosureLog(ledger.recorder)
    for query in ("a", "b", "c", "c", "b", "a"):
        readings.record(replace(READING, query=query), address="", user_agent="")
    assert ledger.rows("SELECT count(*) FROM lines") == [(4,)]
    assert len(readings._recorded) == 2
