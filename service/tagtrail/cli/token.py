"""`tagtrail token`: makes, lists and revokes the API tokens that the ledger's database keeps."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from tagtrail.access.scopes import SCOPES
from tagtrail.access.tokens import make_token, revoke_token
from tagtrail.cli.options import data_directory, place_options
from tagtrail.cli.place import find_ledger, open_recorder
from tagtrail.cli.screen import Screen
from tagtrail.cli.table import Column
from tagtrail.cli.when import parse_when
from tagtrail.cli.words import listed, local_time, visible
from tagtrail.store.database import Store
from tagtrail.store.tokens import StoredToken, find_tokens
from tagtrail.trail.instant import SECOND, now

_LIFE = re.compile(r"(\d{1,4}) ?([hdw])", re.ASCII)  # at most 190 years: an instant has 63 bits
_UNITS: Final = {"h": 3_600, "d": 86_400, "w": 7 * 86_400}  # seconds


class Expiry(click.ParamType[int]):
    """How long from now, or a time; read as an instant."""

    name = "expiry"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The instant. What cannot be read is a usage error; whether it lies ahead is asked when it is used."""
        if isinstance(value, int):
            return value
        if life := _LIFE.fullmatch(value.strip()):
            return now() + int(life[1]) * _UNITS[life[2]] * SECOND
        try:
            return parse_when(value, now=now())
        except ValueError:
            self.fail(f"{value[:60]!r} is neither a time nor a life; write 90d, 12h, 4w or 2027-06-30", param, ctx)


@click.group(short_help="Make, list and revoke API tokens.")
def token() -> None:
    """API tokens: who may ask over HTTP, and what.

    \b
    read      ask
    identity  see who did it, from where, and the events as received
    deploy    declare a deployment
    export    take an export away
    admin     change what the service keeps
    """


@token.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="May be repeated.")
@click.option("--expires", "expires_at", type=Expiry(), metavar="90d|TIME", help="Without it, the token lasts.")
@place_options
def create(name: str, scopes: tuple[str, ...], expires_at: int | None) -> None:
    """Make a token, and print it: once, and nothing else on standard output.

    NAME stands in the ledger for ever and is given once: let it say what uses the token, not who. With the first
    token reading is no longer open on loopback. The service need not run, nor be restarted.
    """
    with _store() as store:
        text = make_token(open_recorder(store), name, scopes, expires_at=expires_at)
    click.echo(text)
    until = f" until {local_time(expires_at)}" if expires_at is not None else ""
    click.echo(
        f"The token {name} has {listed(sorted(set(scopes)), most=None)}{until}. It is not shown again.", err=True
    )


@token.command("list")
@place_options
def list_tokens() -> None:
    """List all tokens, the expired and the revoked ones too. The tokens themselves are kept nowhere."""
    store = find_ledger(data_directory())
    try:
        tokens = find_tokens(store.reader())
    finally:
        store.close()
    screen = Screen()
    if not screen.table(_TOKENS, tokens):
        screen.say("No token was made.")


@token.command()
@click.argument("name")
@place_options
def revoke(name: str) -> None:
    """Revoke a token: from now on it opens nothing, in every process of the service."""
    asked_at = now()
    store = find_ledger(data_directory())
    try:
        revoked = revoke_token(store, open_recorder(store), name)
    finally:
        store.close()
    if revoked.revoked_at is not None:
        had_been = "had been" if revoked.revoked_at < asked_at else "is"
        click.echo(f"The token {name} {had_been} revoked ({local_time(revoked.revoked_at)}).")


@contextmanager
def _store() -> Iterator[Store]:
    """The ledger, made if there is none yet: beyond loopback the service does not start before there is a token."""
    store = Store(data_directory())
    if not store.path.exists():
        store.prepare()
        click.echo(f"A new ledger was made in {visible(str(store.directory))}.", err=True)
    try:
        yield store
    finally:
        store.close()


def _state(row: StoredToken) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "live" if row.is_live(now()) else "expired"


def _time(instant: int | None) -> str:
    return local_time(instant) if instant is not None else ""


_TOKENS: list[Column[StoredToken]] = [
    Column("NAME", lambda row: row.name, style="bold"),
    Column("STATE", _state),
    Column("SCOPES", lambda row: " ".join(row.scopes), folds=True, clause="for"),
    Column("MADE", lambda row: _time(row.made_at), form="wide"),
    Column("EXPIRES", lambda row: _time(row.expires_at), clause="expires"),
    Column("REVOKED", lambda row: _time(row.revoked_at), form="wide"),
]
