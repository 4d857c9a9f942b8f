"""Structured logs on standard error: one JSON object, or one readable line, per record.

A record may contain text that a client sent (a repository's name, a path). Control characters, line separators and the
like are escaped, so that a pushed tag cannot forge a record or a terminal's colours.
"""

import json
import logging
import os
import re
import sys
from types import TracebackType
from typing import Literal, TypeAlias

from tagtrail.trail.instant import format_instant

RecordFormat: TypeAlias = Literal["text", "json"]
_ExceptionInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

_BARE = re.compile(r"[!#-&(-<>-\[\]-~]+")  # visible ASCII that needs no quotes in a readable line
_DELETE = "\x7f"  # the one control character that JSON lets through
_as_json = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=str).encode
_as_readable_json = json.JSONEncoder(ensure_ascii=False, default=str).encode


def configure(log_format: RecordFormat, level: str) -> None:
    """Send every record of `level` and above to standard error, Python's warnings included.

    Call it once, before the server forks. `level` is a level's name in `logging`, in upper or lower case. Raises
    ValueError.
    """
    # Our records show none of these; looking them up costs time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.setLevel(level.upper())
    for handler in [handler for handler in root.handlers if isinstance(handler, _StandardError)]:
        root.removeHandler(handler)
    root.addHandler(_StandardError(JsonLine() if log_format == "json" else ReadableLine()))
    logging.captureWarnings(True)


def info(logger: logging.Logger, event: str, /, **fields: object) -> None:
    """Log that `event` happened; a field that is None is left out."""
    _record(logger, logging.INFO, event, fields)


def warning(logger: logging.Logger, event: str, /, **fields: object) -> None:
    """Log a problem that an operator should know about; a field that is None is left out."""
    _record(logger, logging.WARNING, event, fields)


def error(logger: logging.Logger, event: str, /, *, cause: BaseException | None = None, **fields: object) -> None:
    """Log a failure; `cause` is written with its traceback."""
    information = (type(cause), cause, cause.__traceback__) if cause is not None else None
    _record(logger, logging.ERROR, event, fields, information)


def _record(
    logger: logging.Logger,
    level: int,
    event: str,
    fields: dict[str, object],
    information: _ExceptionInfo | None = None,
) -> None:
    """Create the record without its source line: finding that costs as much as everything else."""
    if logger.isEnabledFor(level):
        logger.handle(logger.makeRecord(logger.name, level, "", 0, event, (), information, extra={"fields": fields}))


class JsonLine(logging.Formatter):
    """A record as one JSON object in ASCII: `time level event logger pid`, then its fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname.lower(), "event": record.getMessage()}
        return _as_json(line | _fields(record)).replace(_DELETE, "\\u007f")


class ReadableLine(logging.Formatter):
    """A record as `time level event name=value ...`, with quotes around values of several words."""

    def format(self, record: logging.LogRecord) -> str:
        named = " ".join(f"{name}={_readable(value)}" for name, value in _fields(record).items())
        return f"{_time(record)} {record.levelname.lower():7} {_readable(record.getMessage())} {named}"


def _time(record: logging.LogRecord) -> str:
    return format_instant(int(record.created * 1_000_000) * 1_000, 6)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """The fields after the event: the caller's, then logger and process id, which no field can overwrite."""
    given: dict[str, object] = getattr(record, "fields", {})
    fields = {name: value for name, value in given.items() if value is not None and name not in _RESERVED}
    if record.exc_info:
        fields["exception"] = logging.Formatter().formatException(record.exc_info)
    return fields | {"logger": record.name, "pid": os.getpid()}


_RESERVED = frozenset({"time", "level", "event"})


def _readable(value: object) -> str:
    if isinstance(value, str):
        return value if _BARE.fullmatch(value) else _printable(_as_readable_json(value))
    return _printable(str(value) if type(value) is int else _as_readable_json(value))


def _printable(text: str) -> str:
    """`text` with escapes for invisible characters: control characters, separators, reversed writing."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class _StandardError(logging.Handler):
    """Writes a record and its line feed in one piece to the current standard error."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # like every handler of `logging`: a full disk under the log stops no request
            self.handleError(record)
