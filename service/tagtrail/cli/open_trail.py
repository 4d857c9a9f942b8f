"""Where the ledger lies, and the ledger opened for reading: nothing is created or changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tagtrail.errors import ConfigurationError, StorageUnavailable
from tagtrail.ledger.rulebook import load_rulebook
from tagtrail.store.database import Store
from tagtrail.trail.rules import Hosts, Rules
from tagtrail.wording.clauses import Style

if TYPE_CHECKING:  # a question does not need the configuration, nor the key that signs
    from tagtrail.config.document import Node
    from tagtrail.config.model import Ledger, NotifyConfig
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
    """Where a ledger lies, and how it is signed."""

    data: Path
    ledger: "Ledger"
    public_url: str | None

    @property
    def log(self) -> "LogPlace":
        """Where the signing key and the journal lie."""
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
    path, root = _read_configuration(config, environ)
    return path.parent / root["data"].text() if "data" in root else DEFAULT_DATA.absolute()


def find_location(config: Path | None, data: str | None, environ: Mapping[str, str]) -> LedgerLocation:
    """Where the ledger lies and how it is signed.

    Reads only these keys of the configuration, so a reader does not need the service's tokens. Raises
    ConfigurationError.
    """
    from tagtrail.config import fields  # noqa: PLC0415 - only some commands need it
    from tagtrail.config.model import Ledger  # noqa: PLC0415
    from tagtrail.config.reader import read_ledger  # noqa: PLC0415

    path, root = _read_configuration(config, environ)
    return LedgerLocation(
        data=find_data_directory(config, data, environ),
        ledger=read_ledger(root["ledger"], folder=path.parent) if "ledger" in root else Ledger(),
        public_url=root["public_url"].parse(fields.public_url) if "public_url" in root else None,
    )


def find_notify(config: Path | None, environ: Mapping[str, str]) -> "NotifyConfig":
    """The channels and routes that the configuration names, without the channels' secrets.

    Raises ConfigurationError.
    """
    from tagtrail.config.model import NotifyConfig  # noqa: PLC0415 - only some commands need it
    from tagtrail.config.notify import read_notify  # noqa: PLC0415

    _, root = _read_configuration(config, environ)
    return read_notify(root["notify"], None) if "notify" in root else NotifyConfig()


def _read_configuration(config: Path | None, environ: Mapping[str, str]) -> tuple[Path, "dict[str, Node]"]:
    """The path of the configuration file and its keys; no keys without a file. Raises ConfigurationError."""
    source = config or environ.get(CONFIG_VARIABLE)
    if not source:
        return Path.cwd() / "none", {}
    from tagtrail.config.document import Node, read_document  # noqa: PLC0415 - only a configuration file needs it

    path = Path(source).absolute()
    try:
        root = read_document(path.read_bytes(), name=path.name)
    except OSError as error:
        raise ConfigurationError(
            f"the configuration {str(path)!r} cannot be read ({error.strerror}); name a file that this user may read"
        ) from None
    keys = root.value if isinstance(root.value, dict) else {}
    return path, {key: Node(key, value) for key, value in keys.items()}


def open_trail(directory: Path) -> OpenTrail:
    """Open the ledger in the directory for reading. Raises as `find_ledger`."""
    store = find_ledger(directory)
    try:
        rules = load_rulebook(store.reader()).latest
    except (ValueError, msgspec.MsgspecError) as error:
        raise StorageUnavailable(f"the ledger in {str(directory)!r} cannot be understood: {error}") from error
    return OpenTrail(store, rules, rules.hosts)


def find_ledger(directory: Path) -> Store:
    """The ledger in the directory. Raises ConfigurationError where there is none, and StorageUnavailable."""
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
