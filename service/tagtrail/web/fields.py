"""What forms send: fields that were left empty, and times as browsers' pickers write them."""

import re
from collections.abc import Mapping

_PICKED = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d(?:\.\d{1,9})?))?)?", re.ASCII)


def read_fields(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a query without those that say nothing; a time without an offset is one in UTC.

    A script sends times with the reader's offset; without one, the page says that they are UTC.
    """
    return {name: _complete_time(text.strip()) for name, text in parameters.items() if text.strip()}


def _complete_time(text: str) -> str:
    """A picked time, or a date, as RFC 3339: `2026-04-20T14:03` is `2026-04-20T14:03:00Z`. Other text as it is."""
    picked = _PICKED.fullmatch(text)
    if picked is None:
        return text
    day, minute, second = picked.groups()
    return f"{day}T{minute or '00:00'}:{second or '00'}Z"
