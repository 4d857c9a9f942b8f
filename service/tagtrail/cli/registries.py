"""`tagtrail registries`, `traffic` and `quarantine`: who sends events, and what became of those that are no lines."""

import click

from tagtrail.api.describing import describe_quarantined, describe_registries, describe_traffic
from tagtrail.api.documents import RegistryDocument
from tagtrail.cli.asked import Asked, Nothing
from tagtrail.cli.options import asking
from tagtrail.cli.table import Column
from tagtrail.cli.words import local_time, size, span, visible
from tagtrail.store.answers import Quarantined, Traffic
from tagtrail.store.registries import find_quarantined, find_registries, find_traffic
from tagtrail.trail.instant import SECOND, now, parse_instant


@click.command(short_help="The registries, and when each was last heard of.")
@asking("registry", is_list=False)
def registries(asked: Asked) -> None:
    """The registries: when each was last heard of, and how often it was seen to start.

    A registry that was silent for longer than usual may have lost its token, or its queue.
    """
    with asked.trail.store.snapshot() as db:
        heard = find_registries(db)
    documents = describe_registries(heard, asked.trail.rules)
    chosen = [document for document in documents if asked.filter.registry in (None, document.registry)]
    asked.answer(
        iter(chosen),
        _REGISTRIES,
        lambda row: row,
        nothing=Nothing("no such registry is configured or was heard of", is_unknown=True),
    )


@click.command(short_help="Pulls and uploads, counted by day.")
@asking("registry", "since", "until")
def traffic(asked: Asked) -> None:
    """Pulls and uploads by day (UTC) and registry: they are counted, and are no entries of the ledger."""
    asked.answer(asked.each(find_traffic), _TRAFFIC, describe_traffic, nothing=Nothing("No traffic was counted."))


@click.command(short_help="What could not be recorded as what it claims to be.")
@asking("registry", "since", "until")
def quarantine(asked: Asked) -> None:
    """What was received and could not be recorded as what it claims to be, newest first."""
    asked.answer(
        asked.each(find_quarantined), _QUARANTINE, describe_quarantined, nothing=Nothing("Nothing was quarantined.")
    )


def _time(text: str | None) -> str:
    return local_time(parse_instant(text)) if text else ""


def _ago(row: RegistryDocument) -> str:
    return f"{span((now() - parse_instant(row.last_seen)) / SECOND)} ago" if row.last_seen else ""


_REGISTRIES: list[Column[RegistryDocument]] = [
    Column("REGISTRY", lambda row: visible(row.registry), style="bold"),
    Column("HOST", lambda row: visible(", ".join([row.host or "", *row.aliases]).strip(", ")), folds=True),
    Column("LAST EVENT", lambda row: _time(row.last_seen) or "never", clause="last event"),
    Column("AGO", _ago, right=True),
    Column("FIRST SEEN", lambda row: _time(row.first_seen), form="wide"),
    Column("STARTS", lambda row: str(row.starts), right=True, clause="starts"),
    Column("LOGIN", lambda row: row.authentication or "not configured", form="wide"),
    Column("INSTANCE", lambda row: visible(row.instance or ""), form="wide"),
]
_TRAFFIC: list[Column[Traffic]] = [
    Column("DAY", lambda row: row.day),
    Column("REGISTRY", lambda row: visible(row.registry), style="bold", folds=True),
    Column("ACTION", lambda row: visible(row.action.replace("_", " "))),
    Column("EVENTS", lambda row: f"{row.events:,}", right=True),
]
_QUARANTINE: list[Column[Quarantined]] = [
    Column("WHEN", lambda row: local_time(row.received_at)),
    Column("REGISTRY", lambda row: visible(row.registry), style="bold", folds=True),
    Column("SIZE", lambda row: size(row.size), right=True),
    Column("REASON", lambda row: visible(row.reason), folds=True),
    Column("SHA-256", lambda row: row.sha256.hex() if row.sha256 else "", form="wide"),
    Column("LINE", lambda row: str(row.seq), right=True, style="dim", clause="line"),
]
