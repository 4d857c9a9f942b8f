"""Bearer tokens: where they come from, how they are kept, and the one that tagtrail makes for itself.

What is needed to compare a token is its SHA-256; the text itself is kept only for ingest tokens, which have to be
printed for the registry. Nothing here shows a token by `repr`, `str` or an error's text.
"""

import hashlib
import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tagtrail.errors import ConfigurationError

SHORTEST = 16  # characters; a token is no password to be remembered
LONGEST = 1_024
INGEST_TOKEN_FILE = "ingest-token"  # noqa: S105 - a file's name, in the data directory
SESSION_KEY_FILE = "session-key"  # in the data directory too

_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)  # RFC 6750, section 2.1
_MODE = 0o600


class Secret:
    """A text that is only shown when asked for by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for the one place that must print it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and secrets.compare_digest(digest_of(self._text), digest_of(other._text))

    def __hash__(self) -> int:
        return hash(digest_of(self._text))

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token as the service keeps it: its SHA-256 (32 bytes), and in words where it came from.

    `secret` is there for ingest tokens only. `exposed` means that other users of this machine can read its file.
    """

    digest: bytes = field(repr=False)
    origin: str
    secret: Secret | None = None
    exposed: bool = False


def digest_of(text: str) -> bytes:
    """What a presented token is compared by: its SHA-256. Any text will do, also one that is no token."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def check_token(text: str) -> None:
    """Raises ValueError, with a predicate and its cure but not the text, when this cannot be a token."""
    if len(text) < SHORTEST:
        raise ValueError(
            f"has {len(text)} characters; give it at least {SHORTEST}, such as `openssl rand -hex 32` makes"
        )
    if len(text) > LONGEST:
        raise ValueError(f"has {len(text)} characters; give it at most {LONGEST}")
    if not _B64TOKEN.fullmatch(text):
        raise ValueError("has a character that no bearer token can hold; use letters, digits and - . _ ~ + / only")


def read_secret_file(path: Path, *, what: str) -> tuple[str, bool]:
    """The text in the file, without the line feed at its end, and whether other users can read the file.

    Raises ValueError, with a predicate about the file and its cure, when there is no text in it; `what` is the secret.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
        exposed = is_exposed(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"cannot be read ({reason}); create it, or let this user read it") from None
    if not text:
        raise ValueError(f"is empty; write the {what} into it")
    return text, exposed


def read_token_file(path: Path) -> tuple[str, bool]:
    """The token in the file, and whether other users can read it. Raises as `read_secret_file`, and `check_token`."""
    text, exposed = read_secret_file(path, what="token")
    check_token(text)
    return text, exposed


def is_exposed(path: Path) -> bool:
    """Whether users other than the file's owner and group may read it."""
    return bool(path.stat().st_mode & stat.S_IROTH)


def prepare_data_directory(data: Path) -> None:
    """Make the data directory, readable by its owner only; one that exists stays as it is.

    Raises ConfigurationError when it cannot be made.
    """
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        data.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"data is {str(data)!r}, which cannot be made a directory ({error.strerror}); "
            "name a directory that this user may write to"
        ) from None


def ingest_token(data: Path) -> Token:
    """The token that registries without tokens of their own present: made on the first call, then read back.

    Raises ConfigurationError as `_keep_token`.
    """
    text, exposed = _keep_token(data, INGEST_TOKEN_FILE, otherwise="which the registry then has to be given")
    path = data / INGEST_TOKEN_FILE
    return Token(digest=digest_of(text), origin=f"file {path}", secret=Secret(text), exposed=exposed)


def session_key(data: Path) -> bytes:
    """What the sessions of browsers are signed with, kept like the ingest token and raising as it."""
    text, _ = _keep_token(data, SESSION_KEY_FILE, otherwise="and everybody signs in again")
    return text.encode()


def _keep_token(data: Path, name: str, *, otherwise: str) -> tuple[str, bool]:
    """The token in a file of the data directory, made where there is none; and whether other users can read it.

    Raises ConfigurationError when it can be neither written nor read. A file that is there and holds no token is
    refused with the cure, so that no token is ever replaced unasked.
    """
    prepare_data_directory(data)
    path = data / name
    try:
        _make_token_file(path)
        return read_token_file(path)
    except OSError as error:
        raise ConfigurationError(
            f"data is {str(data)!r}, where {name} cannot be written ({error.strerror}); "
            "name a directory that this user may write to"
        ) from None
    except ValueError as error:
        raise ConfigurationError(
            f"data is {str(data)!r}, where {name} {error}; "
            f"or delete it, and the next start makes another one, {otherwise}"
        ) from None


def _make_token_file(path: Path) -> None:
    """Write a new token, unless there is a file already; whatever happens meanwhile, no empty file gets the name."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "w", encoding="ascii") as file:
            file.write(f"tt_{secrets.token_urlsafe(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # somebody else was faster, and theirs is the token
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
