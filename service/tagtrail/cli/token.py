"""`tagtrail token`: make, list and revoke API tokens."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import click

from tagtrail.access.scopes import SCOPES
from tagtrail.access.tokens import make_token, revoke_token
from tagtrail.cli.open_trail import find_ledger
from tagtrail.cli.options import data_directory, location_options, open_recorder
from tagtrail.cli.output import Output
from tagtrail.cli.table import TableColumn
from tagtrail.cli.text import local_time
from tagtrail.cli.when import parse_when
from tagtrail.store.database import Store
from tagtrail.store.tokens import StoredToken, find_tokens
from tagtrail.trail.instant import SECOND, now
from tagtrail.wording.text import listed, visible

_LIFETIME = re.compile(r"(\d{1,4}) ?([hdw])", re.ASCII)  # at most 190 years: an instant has 63 bits
_UNITS: Final = {"h": 3_600, "d": 86_400, "w": 7 * 86_400}  # seconds


class Expiry(click.ParamType[int]):
    """A lifetime from now, or a time; read as an instant."""

    name = "expiry"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The instant, which may lie in the past. A text that cannot be read is a usage error."""
        if isinstance(value, int):
            return value
        if lifetime := _LIFETIME.fullmatch(value.strip()):
            return now() + int(lifetime[1]) * _UNITS[lifetime[2]] * SECOND
        try:
            return parse_when(value, now=now())
        except ValueError:
            self.fail(f"{value[:60]!r} is neither a lifetime nor a time; write 90d, 12h, 4w or 2027-06-30", param, ctx)


@click.group()
def token() -> None:
    """API tokens: what a client may do over HTTP.

    \b
    read      read the trail
    identity  see personal data: actors, addresses, events as received
    deploy    declare a deployment
    export    download an export
    admin     change the service's data
    """


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="A scope of the token; may be repeated.",
)
@click.option(
    "--expires", "expires_at", type=Expiry(), metavar="90d|TIME", help="When the token expires; without it, never."
)
@location_options
def create(name: str, scopes: tuple[str, ...], expires_at: int | None) -> None:
    """Make a token and print it, once.

    NAME stays in the ledger for ever and is used only once: let it say what uses the token, not who. Reading is open
    on loopback until there is a first token. The service need not run, and need not be restarted.
    """
    with _store() as store:
        text = make_token(open_recorder(store), name, scopes, expires_at=expires_at)
    click.echo(text)
    until = f" until {local_time(expires_at)}" if expires_at is not None else ""
    click.echo(
        f"The token {name} has {listed(sorted(set(scopes)), most=None)}{until}. It is not shown again.", err=True
    )


@token.command("list")
@location_options
def list_tokens() -> None:
    """List all tokens, with the expired and the revoked ones. The token texts themselves are stored nowhere."""
    with closing(find_ledger(data_directory())) as store:
        tokens = find_tokens(store.reader())
    output = Output()
    if not output.table(_TOKENS, tokens):
        output.say("There are no tokens.")


@token.command()
@click.argument("name")
@location_options
def revoke(name: str) -> None:
    """Revoke a token. Every process of the service refuses it from now on."""
    asked_at = now()
    with closing(find_ledger(data_directory())) as store:
        revoked = revoke_token(store, open_recorder(store), name)
    if revoked.revoked_at is not None:
        state = "was already" if revoked.revoked_at < asked_at else "is"
        click.echo(f"The token {name} {state} revoked ({local_time(revoked.revoked_at)}).")


@contextmanager
def _store() -> Iterator[Store]:
    """The ledger, made if there is none yet: beyond loopback the service does not start without a token."""
    new = Store(data_directory())
    if not new.path.exists():
        new.prepare()
        click.echo(f"A new ledger was made in {visible(str(new.directory))}.", err=True)
    with closing(find_ledger(new.directory)) as store:
        yield store


def _state(row: StoredToken) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "live" if row.is_live(now()) else "expired"


_TOKENS: list[TableColumn[StoredToken]] = [
    TableColumn("NAME", lambda row: row.name, style="bold"),
    TableColumn("STATE", _state),
    TableColumn("SCOPES", lambda row: " ".join(row.scopes)),
    TableColumn("MADE", lambda row: local_time(row.made_at), only="pipe"),
    TableColumn("EXPIRES", lambda row: local_time(row.expires_at)),
    TableColumn("REVOKED", lambda row: local_time(row.revoked_at), only="pipe"),
]
