"""Builds the log from the configuration: its files, its signer, and the command that gets each checkpoint."""

import logging
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from tagtrail import logs
from tagtrail.config.model import LedgerConfig
from tagtrail.errors import ConfigurationError
from tagtrail.store.database import Store
from tagtrail.store.tree import StoredCheckpoint, find_keys
from tagtrail.tlog.note import is_key_name, read_verifier_key
from tagtrail.tlog.signer import LogPlace, LogSigner

_log = logging.getLogger(__name__)
_PATIENCE = 30  # seconds for the anchor command


def log_place(data: Path, ledger: LedgerConfig, *, public_url: str | None = None) -> LogPlace:
    """The files of a data directory's log, and its name before its first checkpoint."""
    machine = socket.gethostname().lower()
    return LogPlace(
        name=ledger.name or urlsplit(public_url or "").netloc or (machine if is_key_name(machine) else "localhost"),
        key=ledger.key or data / "log-key.pem",
        journal=ledger.journal or data / "journal",
    )


def refuse_other_name(store: Store, ledger: LedgerConfig) -> None:
    """Raises ConfigurationError if the log has begun under another name than the configured one."""
    keys = find_keys(store.reader())
    if not keys or ledger.name is None:
        return
    name = read_verifier_key(keys[-1].key).name.rpartition("/log/")[0]
    if name != ledger.name:
        raise ConfigurationError(
            f"ledger.name is {ledger.name!r}, and this log is signed as {name!r} for ever; write that, or"
            " take the key out"
        )


def make_log_signer(store: Store, ledger: LedgerConfig, *, public_url: str | None = None) -> LogSigner:
    """The signer of the store's ledger; each new checkpoint is logged and passed to the anchor command."""

    def publish(checkpoint: StoredCheckpoint) -> None:
        logs.info(_log, "checkpoint", size=checkpoint.size, root=checkpoint.root.hex(), note=checkpoint.note)
        if ledger.anchor:
            _anchor(ledger.anchor, checkpoint.note)

    return LogSigner(store, log_place(store.directory, ledger, public_url=public_url), published=publish)


def _anchor(command: tuple[str, ...], note: str) -> None:
    """Pass the note to the command. There is no retry: the next checkpoint covers the same lines."""
    try:
        subprocess.run(
            command,
            input=note.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None)
        said = told.decode(errors="replace").strip()[-500:] if isinstance(told, bytes) else None
        logs.error(_log, "the anchor command failed", command=command[0], reason=str(error), said=said)
