"""The log's private key: a PEM file (PKCS 8) outside the database, for its owner only."""

import os
import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tagtrail.errors import ConfigurationError
from tagtrail.tlog.journal import sync_directory
from tagtrail.tlog.note import VerifierKey

_MOUNTS: Final = Path("/proc/self/mountinfo")
_OCTAL: Final = re.compile(r"\\([0-7]{3})")  # how that file writes a space and similar characters


def read_key(path: Path) -> Ed25519PrivateKey | None:
    """The key in the file; None without a file. Raises ConfigurationError for a key that cannot be used."""
    try:
        text = path.read_bytes()
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"the log's key {path} cannot be read: {error.strerror}") from None
    if mode & 0o027:
        raise ConfigurationError(f"the log's key {path} is open to other users of this machine; chmod 600 it")
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(f"the log's key {path} is no unencrypted private key in PEM form") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"the log's key {path} is no Ed25519 key")
    return key


def make_key(path: Path) -> Ed25519PrivateKey:
    """Write a new key to a file that must not exist yet; a failure never leaves half a key.

    Raises OSError, for instance FileExistsError.
    """
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)
    return key


def check_replaceable(path: Path) -> None:
    """Raises ConfigurationError if another file could not replace the key."""
    # The name itself counts: a link is replaced, not followed.
    if str(path.parent.resolve() / path.name) in _find_mounts():
        raise ConfigurationError(
            f"the log's key {path} is a single file that is mounted by itself, so no new key can take its place;"
            " nothing was changed. Put the key into a directory of its own, mount that directory, writable, instead of"
            " the file, name the file in it with ledger: key:, and give the command again"
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"the directory of the log's key {path} cannot be written, so no new key can take its place; nothing was"
            " changed. Mount it writable, or give the command as a user who may write there"
        )


def _find_mounts() -> set[str]:
    """The mount points (proc(5), mountinfo). A mounted file cannot be replaced by rename(2): EBUSY."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return set()
    return {_OCTAL.sub(lambda found: chr(int(found[1], 8)), line.split(" ")[4]) for line in lines}


def write_public_key(key: VerifierKey) -> str:
    """The public key as PEM (SubjectPublicKeyInfo, RFC 8410), which openssl reads."""
    public = Ed25519PublicKey.from_public_bytes(key.public)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
