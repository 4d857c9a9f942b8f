"""Where the ledger lies, and the ledger opened for reading: nothing is created and nothing is changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tagtrail.config.load import DATA_VARIABLE, load_place
from tagtrail.config.model import LedgerConfig
from tagtrail.errors import ConfigurationError, StorageUnavailable
from tagtrail.ledger.rulebook import load_rulebook
from tagtrail.store.database import Store
from tagtrail.tlog.place import log_place
from tagtrail.tlog.signer import LogPlace
from tagtrail.trail.rules import Hosts, Rules
from tagtrail.wording.clauses import Manner


@dataclass(frozen=True, slots=True)
class Trail:
    """A ledger that answers, with the rules in force as it holds them."""

    store: Store
    rules: Rules
    hosts: Hosts

    @property
    def has_several_registries(self) -> bool:
        """Whether a repository's name does not say which registry is meant."""
        return self.rules.has_several_registries

    def manner(self, *, is_whole: bool) -> Manner:
        """How images and digests are written: whole for a program, short for a person."""
        return Manner(self.hosts, self.has_several_registries, is_whole)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ledger lies, and how it is signed."""

    data: Path
    ledger: LedgerConfig
    public_url: str | None

    @property
    def log(self) -> LogPlace:
        """Where its key and its journal lie."""
        return log_place(self.data, self.ledger, public_url=self.public_url)


def find_place(config: Path | None, data: str | None, environ: Mapping[str, str]) -> Place:
    """Where the ledger lies, found as the service finds it.

    The service's secrets are not read. Raises ConfigurationError.
    """
    read = load_place(config, data, environ=environ)
    return Place(read.data, read.ledger, read.public_url)


def open_trail(directory: Path) -> Trail:
    """The ledger in the directory, ready to be asked. Raises as `find_ledger`."""
    store = find_ledger(directory)
    try:
        rules = load_rulebook(store.reader()).latest
    except (ValueError, msgspec.MsgspecError) as error:
        raise StorageUnavailable(f"the ledger in {str(directory)!r} cannot be understood: {error}") from error
    return Trail(store, rules, rules.hosts)


def find_ledger(directory: Path) -> Store:
    """The ledger in the directory. Raises ConfigurationError where there is none, or StorageUnavailable."""
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
    return store
