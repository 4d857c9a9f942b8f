"""The query of an export: its lines, with or without identities, a sample, and an earlier checkpoint."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tagtrail.errors import BadParameter
from tagtrail.store.filters import read_filter, read_text, refuse_unknown
from tagtrail.store.query import Filter
from tagtrail.trail.instant import format_instant

FILTERS: Final = ("since", "until", "registry", "repository", "tag", "digest", "environment", "kind")
PARAMETERS: Final = (*FILTERS, "identities", "sample", "seed", "size", "since_checkpoint")
MOST_DRAWN: Final = 100_000
LONGEST_NOTE: Final = 10_000  # characters of a checkpoint
_NARROWING: Final = ("registry", "repository", "tag", "digest", "environment", "kind")
_ANSWERS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Sample:
    """The `count` matching lines with the smallest SHA-256 of the seed and the line's number."""

    count: int
    seed: str


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """The query. `identities` is None if not given, `size` None for the newest checkpoint.

    `filter` goes by our clock. `since_checkpoint` is the signed note that the auditor kept.
    """

    filter: Filter = field(default_factory=Filter)
    identities: bool | None = None
    sample: Sample | None = None
    size: int | None = None
    since_checkpoint: str | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether the query leaves out lines of the range."""
        return self.sample is not None or any(getattr(self.filter, name) is not None for name in _NARROWING)

    def describe_filter(self) -> dict[str, str]:
        """The filter by parameter names; instants in RFC 3339."""
        given = ((name, getattr(self.filter, name)) for name in FILTERS)
        return {
            name: format_instant(value) if isinstance(value, int) else value
            for name, value in given
            if value is not None
        }

    def describe(self, *, identities: bool, size: int) -> dict[str, Any]:
        """The whole query as it was answered."""
        sample = {"sample": self.sample.count, "seed": self.sample.seed} if self.sample else {}
        since = {"since_checkpoint": self.since_checkpoint} if self.since_checkpoint else {}
        return {**self.describe_filter(), **sample, **since, "identities": identities, "size": size}


def read_export_query(parameters: Mapping[str, str]) -> ExportQuery:
    """Parse the parameters. Raises BadParameter."""
    refuse_unknown(parameters, accepted=PARAMETERS)
    given = {name: text for name, text in parameters.items() if name in FILTERS}
    return ExportQuery(
        filter=read_filter(given, accepted=FILTERS),
        identities=_read_answer(parameters["identities"]) if "identities" in parameters else None,
        sample=_read_sample(parameters),
        size=_read_number("size", parameters["size"], most=2**53) if "size" in parameters else None,
        since_checkpoint=_read_note(parameters["since_checkpoint"]) if "since_checkpoint" in parameters else None,
    )


def _read_sample(parameters: Mapping[str, str]) -> Sample | None:
    if "sample" not in parameters and "seed" not in parameters:
        return None
    for name, other in (("sample", "seed"), ("seed", "sample")):
        if name not in parameters:
            raise BadParameter(name, f"{other} needs a {name} beside it: how many lines, and the auditor's seed")
    count = _read_number("sample", parameters["sample"], most=MOST_DRAWN)
    if count == 0:
        raise BadParameter("sample", "sample is 0; write how many lines to draw")
    return Sample(count, read_text("seed", parameters["seed"]))


def _read_number(name: str, text: str, *, most: int) -> int:
    if not re.fullmatch(r"\d{1,16}", text, re.ASCII) or int(text) > most:
        raise BadParameter(name, f"{name} is {text[:20]!r}; write a number up to {most}")
    return int(text)


def _read_answer(text: str) -> bool:
    if text not in _ANSWERS:
        raise BadParameter("identities", f"identities is {text[:20]!r}; write true or false")
    return _ANSWERS[text]


def _read_note(text: str) -> str:
    if not 0 < len(text) <= LONGEST_NOTE:
        raise BadParameter(
            "since_checkpoint", f"since_checkpoint must be a checkpoint, of up to {LONGEST_NOTE} characters"
        )
    return text
