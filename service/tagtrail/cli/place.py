"""Which data directory is asked, and its ledger opened for reading: nothing is created and nothing is changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tagtrail.audit.naming import Hosts
from tagtrail.config.document import Node, read_document
from tagtrail.config.load import CONFIG_VARIABLE, DATA_VARIABLE
from tagtrail.errors import ConfigurationError, StorageUnavailable
from tagtrail.ledger.rulebook import load_rulebook
from tagtrail.store.database import Store
from tagtrail.trail.rules import Rules

DEFAULT_DATA = Path("tagtrail-data")


@dataclass(frozen=True, slots=True)
class Trail:
    """A ledger that answers, with the rules in force as it holds them."""

    store: Store
    rules: Rules
    hosts: Hosts

    @property
    def has_several_registries(self) -> bool:
        """Whether a repository's name does not say which registry is meant."""
        return len(self.rules.registries) > 1


def find_data_directory(config: Path | None, data: str | None, environ: Mapping[str, str]) -> Path:
    """Where the ledger lies, found as the service finds it.

    Of the configuration only `data` is read: whoever asks need not have the service's tokens. Raises
    ConfigurationError.
    """
    if named := data or environ.get(DATA_VARIABLE):
        return Path(named).absolute()
    source = config or environ.get(CONFIG_VARIABLE)
    if not source:
        return DEFAULT_DATA.absolute()
    path = Path(source).absolute()
    try:
        root = read_document(path.read_bytes(), name=path.name)
    except OSError as error:
        raise ConfigurationError(
            f"the configuration {str(path)!r} cannot be read ({error.strerror}); name a file that this user may read"
        ) from None
    if not isinstance(root.value, dict) or "data" not in root.value:
        return DEFAULT_DATA.absolute()
    return path.parent / Node("data", root.value["data"]).text()


def open_trail(directory: Path) -> Trail:
    """The ledger in the directory, ready to be asked. Raises as `find_ledger`."""
    store = find_ledger(directory)
    try:
        rules = load_rulebook(store.reader()).latest
    except (ValueError, msgspec.MsgspecError) as error:
        raise StorageUnavailable(f"the ledger in {str(directory)!r} cannot be understood: {error}") from error
    return Trail(store, rules, Hosts(rules))


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
