"""The lists that can be asked for: what each accepts, where its answers come from and how they are shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tagtrail.access.redaction import IDENTITY_FIELDS
from tagtrail.api import columns, describing, documents
from tagtrail.api.columns import Column, reader_of
from tagtrail.api.csv_columns import derive_columns
from tagtrail.api.describing import describe_delivery
from tagtrail.store.database import Connection
from tagtrail.store.deployments import RecordedDeployment, find_deployments
from tagtrail.store.entries import LoggedEntry, find_entries, find_lines
from tagtrail.store.environments import EnvironmentState, find_environments
from tagtrail.store.history import TagMove, find_history
from tagtrail.store.outbox import find_deliveries
from tagtrail.store.query import Page, Query
from tagtrail.store.registries import find_quarantined, find_registries, find_traffic
from tagtrail.store.releases import Violation, find_violations
from tagtrail.store.tags import TaggedDigest, find_tags
from tagtrail.trail.rules import Hosts
from tagtrail.wording.spreadsheet import Cell

Find = Callable[[Connection, Query], Page[Any]]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: `find` gives a page of it, `describe` a document of each row, `read_cells` its cells under `names`.

    `key` are the types of its cursor's parts. `find_lines` gives its NDJSON where that is not the documents.
    `is_ledger` tells that nothing but a new line of the ledger can change the answer.
    """

    name: str
    summary: str
    document: type[msgspec.Struct]
    filters: tuple[str, ...]
    find: Find
    describe: Callable[[Any, Query], msgspec.Struct]
    names: tuple[str, ...]
    read_cells: Callable[[Any, Query], Sequence[Cell]]
    key: tuple[type, ...]
    required: tuple[str, ...] = ()
    has_at: bool = False
    find_lines: Find | None = None
    is_ledger: bool = True

    @property
    def tells_of_people(self) -> bool:
        """Whether its documents and its CSV do, for whoever may see it."""
        return not IDENTITY_FIELDS.isdisjoint(self.names)


def _described(describe: Callable[[Any, Query], msgspec.Struct], shown: Sequence[Column]) -> dict[str, Any]:
    """The three fields of a list whose CSV is made of its documents."""
    read = reader_of(shown)
    return {
        "describe": describe,
        "names": tuple(column.name for column in shown),
        "read_cells": lambda answer, query: read(describe(answer, query)),
    }


def _shown(struct: type[msgspec.Struct], nested: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, Any]:
    """The three fields of a list whose rows are shown as they are."""
    found = derive_columns(struct, nested)
    return {
        "describe": lambda row, _: row,
        "names": tuple(column.name for column in found),
        "read_cells": lambda row, _: [column.read(row) for column in found],
    }


def _with_hosts(describe: Callable[[Any, Hosts], msgspec.Struct]) -> Callable[[Any, Query], msgspec.Struct]:
    return lambda answer, query: describe(answer, query.rules.hosts)


def _find_registries(db: Connection, query: Query) -> Page[Any]:
    return Page(tuple(describing.describe_registries(find_registries(db), query.rules)))


ENTRIES: Final = Listing(
    name="entries",
    summary="The audit log: every line of the ledger, newest first. As NDJSON it is the exact lines: the evidence.",
    document=LoggedEntry,
    filters=("registry", "repository", "tag", "digest", "actor", "kind", "environment", "since", "until"),
    find=find_entries,
    find_lines=find_lines,
    describe=lambda row, _: row,
    names=columns.ENTRY_NAMES,
    read_cells=lambda row, _: columns.read_entry(row),
    key=(int,),
)
TAGS: Final = Listing(
    name="tags",
    summary="What every tag points at, now or at an instant; by registry, repository and tag.",
    document=TaggedDigest,
    filters=("registry", "repository", "tag"),
    find=find_tags,
    key=(str, str, str),
    has_at=True,
    **_shown(TaggedDigest),
)
HISTORY: Final = Listing(
    name="history",
    summary="Every move of one tag, newest first, with the interval that each began.",
    document=TagMove,
    filters=("registry", "repository", "tag", "since", "until"),
    required=("repository", "tag"),
    find=find_history,
    key=(int, bytes),
    **_shown(TagMove),
)
DEPLOYMENTS: Final = Listing(
    name="deployments",
    summary="What was published for environments, newest first.",
    document=RecordedDeployment,
    filters=("registry", "repository", "tag", "digest", "actor", "environment", "since", "until"),
    find=find_deployments,
    key=(int, bytes, str, int, int),
    **_shown(
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
    document=EnvironmentState,
    filters=("registry", "repository", "environment"),
    find=find_environments,
    key=(str, str, str),
    has_at=True,
    **_shown(
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
    document=Violation,
    filters=("registry", "repository", "tag", "digest", "actor", "since", "until"),
    find=find_violations,
    key=(int, bytes, int),
    **_shown(Violation),
)
QUARANTINE: Final = Listing(
    name="quarantine",
    summary="What was received and could not be recorded as what it claims to be, newest first.",
    document=documents.QuarantinedDocument,
    filters=("registry", "since", "until"),
    find=find_quarantined,
    key=(int,),
    **_described(lambda answer, _: describing.describe_quarantined(answer), columns.QUARANTINE),
)
TRAFFIC: Final = Listing(
    name="traffic",
    summary="Events that are no evidence of change, counted by registry, UTC day and action; newest day first.",
    document=documents.TrafficDocument,
    filters=("registry", "since", "until"),
    find=find_traffic,
    key=(str, str, str),
    is_ledger=False,
    **_described(lambda answer, _: describing.describe_traffic(answer), columns.TRAFFIC),
)
DELIVERIES: Final = Listing(
    name="deliveries",
    summary="The messages to channels, the youngest first, and what became of them.",
    document=documents.DeliveryDocument,
    filters=("channel", "state", "since", "until"),
    find=find_deliveries,
    key=(str,),
    is_ledger=False,
    **_described(lambda answer, _: describe_delivery(answer), columns.DELIVERIES),
)
REGISTRIES: Final = Listing(
    name="registries",
    summary="The registries that are configured or were heard of, by name; always all of them.",
    document=documents.RegistryDocument,
    filters=(),
    find=_find_registries,
    key=(),
    is_ledger=False,
    **_described(lambda document, _: document, columns.REGISTRIES),
)

LISTINGS: Final = (
    ENTRIES, TAGS, HISTORY, DEPLOYMENTS, ENVIRONMENTS, VIOLATIONS, QUARANTINE, TRAFFIC, REGISTRIES,
    DELIVERIES,
)  # fmt: skip
