"""Find the ledger and open it for reading; nothing is created, and no line is changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tagtrail import __version__
from tagtrail.cli.options import open_recorder
from tagtrail.errors import ConfigurationError, StorageUnavailable
from tagtrail.ledger.rulebook import load_rulebook
from tagtrail.store.database import Store
from tagtrail.trail.rules import Hosts, Rules
from tagtrail.wording.clauses import Style

if TYPE_CHECKING:  # a question does not need the configuration, nor the key that signs
    from tagtrail.config.model import LedgerConfig, NotifyConfig
    from tagtrail.ledger.record import Recorder
    from tagtrail.tlog.signer import LogPlace, LogSigner

DEFAULT_DATA = Path("tagtrail-data")
CONFIG_VARIABLE = "TAGTRAIL_CONFIG"
DATA_VARIABLE = "TAGTRAIL_DATA"


@dataclass(frozen=True, slots=True)
class OpenTrail:
    """A ledger opened for reading, with its rules in force."""

    store: Store
    rules: Rules
    hosts: Hosts

    def style(self, *, is_whole: bool) -> Style:
        """How references and digests are written: whole for a program, short for a person."""
        return Style(self.hosts, self.rules.has_several_registries, is_whole)


@dataclass(frozen=True, slots=True)
class LedgerLocation:
    """The location of a ledger, and how it is signed."""

    data: Path
    ledger: "LedgerConfig"
    public_url: str | None

    @property
    def log(self) -> "LogPlace":
        """The location of the signing key and of the journal."""
        from tagtrail.tlog.place import log_place  # noqa: PLC0415 - a question does not need cryptography

        return log_place(self.data, self.ledger, public_url=self.public_url)

    def make_signer(self, store: Store) -> "LogSigner":
        """The signer of this ledger's log."""
        from tagtrail.tlog.place import make_log_signer  # noqa: PLC0415 - as above

        return make_log_signer(store, self.ledger, public_url=self.public_url)

    def make_recorder(self, store: Store, notify: "NotifyConfig") -> "Recorder":
        """A recorder that notifies the configured channels. Refuses a ledger that differs from its checkpoints.

        Raises Contradicted and StorageUnavailable.
        """
        from tagtrail.ledger.record import Recorder  # noqa: PLC0415 - a question records nothing
        from tagtrail.notify.outbox import make_outbox  # noqa: PLC0415
        from tagtrail.tlog.guard import check_ledger  # noqa: PLC0415

        check_ledger(store, self.log.journal)
        return Recorder(store, outbox=make_outbox(notify))


def find_data_directory(config: Path | None, data: str | None, environ: Mapping[str, str]) -> Path:
    """The data directory: `data`, the environment, the configuration file or the default, in this order.

    Raises ConfigurationError.
    """
    if named := data or environ.get(DATA_VARIABLE):
        return Path(named).absolute()
    if not (config or environ.get(CONFIG_VARIABLE)):
        return DEFAULT_DATA.absolute()
    return find_location(config, data, environ).data


def find_location(config: Path | None, data: str | None, environ: Mapping[str, str]) -> LedgerLocation:
    """The location of the ledger and how it is signed.

    Reads only these keys of the configuration, so a reader does not need the service's tokens. Raises
    ConfigurationError.
    """
    from tagtrail.config.load import load_place  # noqa: PLC0415 - only some commands need it

    read = load_place(config, data, environ=environ)
    return LedgerLocation(read.data, read.ledger, read.public_url)


def open_trail(directory: Path) -> OpenTrail:
    """Open the ledger in the directory for reading. Raises as `find_ledger`."""
    store = find_ledger(directory)
    try:
        rules = load_rulebook(store.reader()).latest
    except (ValueError, msgspec.MsgspecError) as error:
        raise StorageUnavailable(f"the ledger in {str(directory)!r} cannot be understood: {error}") from error
    return OpenTrail(store, rules, rules.hosts)


def find_ledger(directory: Path, *, accept_older_schema: bool = False) -> Store:
    """The ledger in the directory. Raises ConfigurationError where there is none, and StorageUnavailable.

    A database that this version has not migrated yet is refused, unless the command reads only tables of the first
    schema or migrates it.
    """
    store = Store(directory)
    try:
        is_there = store.path.is_file() and store.path.stat().st_size > 0
    except OSError as error:
        raise StorageUnavailable(f"{store.path} cannot be read: {error.strerror}") from error
    if not is_there:
        raise ConfigurationError(
            f"there is no ledger in {str(directory)!r}; name the service's data directory with --data or "
            f"{DATA_VARIABLE}, or start the service once"
        )
    if store.is_migrated():
        store.catch_up = lambda: open_recorder(store).catch_up()  # only after a crash: a running service is faster
    elif not accept_older_schema:
        store.close()
        raise StorageUnavailable(
            f"the ledger in {str(directory)!r} has the schema of an older version of tagtrail; start the service of"
            f" version {__version__} once, which migrates it"
        )
    return store
