"""The lists of the API: the filters of each, the function that finds its rows, and its CSV columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tagtrail.access.redaction import IDENTITY_FIELDS
from tagtrail.api.csv_columns import ENTRY_COLUMNS, derive_columns, read_entry_cells
from tagtrail.store.database import Connection
from tagtrail.store.deployments import RecordedDeployment, find_deployments
from tagtrail.store.entries import LoggedEntry, find_entries, find_lines
from tagtrail.store.environments import EnvironmentState, find_environments
from tagtrail.store.history import TagMove, find_history
from tagtrail.store.outbox import RecordedDelivery, find_deliveries
from tagtrail.store.query import Page, Query
from tagtrail.store.registries import (
    KnownRegistry,
    Quarantined,
    Traffic,
    find_known_registries,
    find_quarantined,
    find_traffic,
)
from tagtrail.store.releases import Violation, find_violations
from tagtrail.store.tags import TaggedDigest, find_tags
from tagtrail.wording.spreadsheet import Cell

Find = Callable[[Connection, Query], Page[Any]]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: `find` gives a page of rows, each a `struct`; `read_cells` gives the CSV cells of a row under `columns`.

    `key` are the types of its cursor's parts. `find_lines` gives the NDJSON of a list whose NDJSON is not its rows.
    `is_ledger` is true if only a new line of the ledger can change the answer.
    """

    name: str
    summary: str
    struct: type[msgspec.Struct]
    filters: tuple[str, ...]
    find: Find
    columns: tuple[str, ...]
    read_cells: Callable[[Any], Sequence[Cell]]
    key: tuple[type, ...]
    required: tuple[str, ...] = ()
    has_at: bool = False
    find_lines: Find | None = None
    is_ledger: bool = True

    @property
    def shows_identities(self) -> bool:
        """Whether its rows have identities, for callers who may see them."""
        return not IDENTITY_FIELDS.isdisjoint(self.columns)


def _derive(struct: type[msgspec.Struct], nested: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, Any]:
    """The fields of a list that follow from the struct of its rows; `nested` as in `derive_columns`."""
    columns = derive_columns(struct, nested)
    return {
        "struct": struct,
        "columns": tuple(column.name for column in columns),
        "read_cells": lambda row: [column.read(row) for column in columns],
    }


ENTRIES: Final = Listing(
    name="entries",
    summary="The audit log: every line of the ledger, newest first. As NDJSON it is the exact lines: the evidence.",
    struct=LoggedEntry,
    filters=("registry", "repository", "tag", "digest", "actor", "kind", "environment", "since", "until"),
    find=find_entries,
    find_lines=find_lines,
    columns=ENTRY_COLUMNS,
    read_cells=read_entry_cells,
    key=(int,),
)
TAGS: Final = Listing(
    name="tags",
    summary="What every tag points at, now or at an instant; by registry, repository and tag.",
    filters=("registry", "repository", "tag"),
    find=find_tags,
    key=(str, str, str),
    has_at=True,
    **_derive(TaggedDigest),
)
HISTORY: Final = Listing(
    name="history",
    summary="Every move of one tag, newest first, with the interval that each began.",
    filters=("registry", "repository", "tag", "since", "until"),
    required=("repository", "tag"),
    find=find_history,
    key=(int, bytes),
    **_derive(TagMove),
)
DEPLOYMENTS: Final = Listing(
    name="deployments",
    summary="What was published for environments, newest first.",
    filters=("registry", "repository", "tag", "digest", "actor", "environment", "since", "until"),
    find=find_deployments,
    key=(int, bytes, str, int, int),
    **_derive(
        RecordedDeployment,
        {
            "previous": {
                "previous_image": "reference",
                "previous_digest": "digest",
                "previous_release_tags": "release_tags_then",
                "previous_seconds": "seconds",
            }
        },
    ),
)
ENVIRONMENTS: Final = Listing(
    name="environments",
    summary="What is published for each environment, now or at an instant, and what it could go back to.",
    filters=("registry", "repository", "environment"),
    find=find_environments,
    key=(str, str, str),
    has_at=True,
    **_derive(
        EnvironmentState,
        {
            "published": {
                "image": "reference",
                "tag": "tag",
                "digest": "digest",
                "at": "at",
                "direction": "direction",
                "release_tags_now": "release_tags_now",
                "unpinned": "unpinned",
                "actor": "actor",
                "seq": "seq",
            },
            "roll_back_to": {
                "roll_back_to": "reference",
                "roll_back_release_tags": "release_tags_now",
                "roll_back_published_at": "at",
            },
        },
    ),
)
VIOLATIONS: Final = Listing(
    name="violations",
    summary="Release tags that moved or were deleted, newest first.",
    filters=("registry", "repository", "tag", "digest", "actor", "since", "until"),
    find=find_violations,
    key=(int, bytes, int),
    **_derive(Violation),
)
QUARANTINE: Final = Listing(
    name="quarantine",
    summary="What was received and could not be recorded as what it claims to be, newest first.",
    filters=("registry", "since", "until"),
    find=find_quarantined,
    key=(int,),
    **_derive(Quarantined),
)
TRAFFIC: Final = Listing(
    name="traffic",
    summary="Events that are no evidence of change, counted by registry, UTC day and action; newest day first.",
    filters=("registry", "since", "until"),
    find=find_traffic,
    key=(str, str, str),
    is_ledger=False,
    **_derive(Traffic),
)
DELIVERIES: Final = Listing(
    name="deliveries",
    summary="The messages to channels, the youngest first, and what became of them.",
    filters=("channel", "state", "since", "until"),
    find=find_deliveries,
    key=(str,),
    is_ledger=False,
    **_derive(RecordedDelivery),
)
REGISTRIES: Final = Listing(
    name="registries",
    summary="The registries that are configured or were heard of, by name; always all of them.",
    filters=(),
    find=find_known_registries,
    key=(),
    is_ledger=False,
    **_derive(KnownRegistry),
)

LISTINGS: Final = (
    ENTRIES, TAGS, HISTORY, DEPLOYMENTS, ENVIRONMENTS, VIOLATIONS, QUARANTINE, TRAFFIC, REGISTRIES,
    DELIVERIES,
)  # fmt: skip
