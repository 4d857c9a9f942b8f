"""What a record looks like, and what cannot be done to it from outside."""

import json
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Literal

import pytest

from tagtrail import logs
from tagtrail.trail.instant import parse_instant

LOGGER = logging.getLogger("tagtrail.test")
FORGERY = '1.0\n2026-04-20T14:03:00.000000Z info moved tag=forged\r\x1b[2J\x85\u2028\u202e\x7f\ud800"\\ \x00'
Format = Literal["text", "json"]
FORMATS: list[Format] = ["text", "json"]


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, as it was again afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level


Captured = pytest.CaptureFixture[str]


def test_a_json_record_is_one_object_with_who_when_and_what(capsys: Captured) -> None:
    logs.configure("json", "info")
    logs.info(LOGGER, "moved", tag="1.0", seq=7, violation=None, platforms=["a", "b"])
    record = json.loads(capsys.readouterr().err)
    assert parse_instant(record.pop("time")) > 0
    assert record == {
        "level": "info",
        "event": "moved",
        "tag": "1.0",
        "seq": 7,
        "platforms": ["a", "b"],
        "logger": "tagtrail.test",
        "pid": os.getpid(),
    }


def test_a_readable_record_is_one_line_with_quotes_where_they_are_needed(capsys: Captured) -> None:
    logs.configure("text", "info")
    logs.warning(LOGGER, "moved", tag="1.0", who="Jürgen Groß", empty="", seq=7, back=True, gone=None)
    time, _, rest = capsys.readouterr().err.partition(" ")
    assert time.endswith("Z")
    fields = f'tag=1.0 who="Jürgen Groß" empty="" seq=7 back=true logger=tagtrail.test pid={os.getpid()}\n'
    assert rest == f"warning moved {fields}"


@pytest.mark.parametrize("log_format", FORMATS)
def test_no_value_can_forge_a_record(log_format: Format, capsys: Captured) -> None:
    logs.configure(log_format, "info")
    logs.info(LOGGER, FORGERY, tag=FORGERY, tags=[FORGERY])
    LOGGER.info("by the standard library: %s", FORGERY)
    logs.error(LOGGER, "failed", cause=ValueError(FORGERY))
    written = capsys.readouterr().err
    assert written.endswith("\n")
    lines = written[:-1].split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


def test_a_value_with_an_equals_sign_cannot_pass_for_a_field(capsys: Captured) -> None:
    logs.configure("text", "info")
    logs.info(LOGGER, "moved", repository="a tag=forged", actor="tag=forged")
    assert 'repository="a tag=forged" actor="tag=forged"' in capsys.readouterr().err


def test_json_keeps_what_was_written_to_it(capsys: Captured) -> None:
    logs.configure("json", "info")
    logs.info(LOGGER, "moved", tag=FORGERY)
    assert json.loads(capsys.readouterr().err)["tag"] == FORGERY


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_field_cannot_overwrite_what_every_record_says(log_format: Format, capsys: Captured) -> None:
    logs.configure(log_format, "info")
    logs.info(LOGGER, "moved", time="forged", level="forged", logger="forged", pid="forged", event="forged")
    assert "forged" not in capsys.readouterr().err


def test_an_error_carries_its_cause_with_the_traceback(capsys: Captured) -> None:
    logs.configure("json", "info")
    try:
        int("why")
    except ValueError as cause:
        logs.error(LOGGER, "failed", cause=cause, path="/events")
    record = json.loads(capsys.readouterr().err)
    assert (record["level"], record["event"], record["path"]) == ("error", "failed", "/events")
    assert record["exception"].endswith("ValueError: invalid literal for int() with base 10: 'why'")
    assert "test_logs.py" in record["exception"]


def test_records_below_the_level_are_left_out(capsys: Captured) -> None:
    logs.configure("text", "warning")
    logs.info(LOGGER, "moved")
    LOGGER.info("moved")
    assert capsys.readouterr().err == ""


def test_configuring_again_replaces_what_was_configured(capsys: Captured) -> None:
    logs.configure("text", "info")
    logs.configure("json", "info")
    logs.info(LOGGER, "moved")
    assert json.loads(capsys.readouterr().err)["event"] == "moved"


def test_a_level_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        logs.configure("text", "loud")


def test_warnings_of_python_are_records_too(capsys: Captured) -> None:
    logs.configure("json", "info")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old\nfashioned", DeprecationWarning, stacklevel=1)
    record = json.loads(capsys.readouterr().err)
    assert "old\nfashioned" in record["event"]
    assert record["logger"] == "py.warnings"
