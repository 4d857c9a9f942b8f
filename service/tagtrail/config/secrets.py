"""Secrets: read from an environment variable, a file or the configuration file, and the two that tagtrail makes.

A secret is never shown by `repr`, `str` or the text of an error. Of a token for access only the SHA-256 is kept; the
text of an ingest token is kept, since `tagtrail registry-config` prints it.
"""

import hmac
import os
import re
import secrets
import stat
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from tagtrail.access.scopes import hash_token
from tagtrail.config.values import is_url, require_text
from tagtrail.errors import ConfigurationError

SHORTEST = 16  # characters
LONGEST = 1_024
INGEST_TOKEN_FILE = "ingest-token"  # noqa: S105 - a file's name, in the data directory
SESSION_KEY_FILE = "session-key"  # in the data directory too
PLACEHOLDER = "the secret is not read"  # the origin of a placeholder

_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)  # RFC 6750, section 2.1
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """The source of secrets and paths: paths to `folder`, names of variables to `environ`.

    Without `environ` no secret is read, and each is replaced by a placeholder of its kind. `is_exposed`: other users of
    the machine can read the configuration file. `is_patient`: the secret of a channel may be missing.
    """

    folder: Path
    environ: Mapping[str, str] | None
    is_exposed: bool = False
    is_patient: bool = False


class Secret:
    """A secret text of a channel, with its origin in words. `is_exposed`: other users of the machine can read it there.

    `is_missing`: it could not be read, and the caller of the configuration can go on without it.
    """

    noun: ClassVar = "secret"
    variable: ClassVar = "OPS_CHAT_SECRET"  # an example, as is `file`
    file: ClassVar = "./ops-chat-secret"
    placeholder: ClassVar = "secret"
    __slots__ = ("_text", "is_exposed", "is_missing", "origin")

    def __init__(self, text: str, origin: str = "", *, is_exposed: bool = False, is_missing: bool = False) -> None:
        self._text = text
        self.origin = origin
        self.is_exposed = is_exposed
        self.is_missing = is_missing

    @classmethod
    def check(cls, text: str) -> None:
        """Raises ValueError, with a predicate and its cure but not the text, when this cannot be such a secret."""

    def reveal(self) -> str:
        """The text itself: for the one place that has to send or print it."""
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        ours, theirs = (each.encode("utf-8", "surrogatepass") for each in (self._text, other._text))
        return hmac.compare_digest(ours, theirs) and (self.origin, self.is_exposed) == (other.origin, other.is_exposed)

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")


class SecretUrl(Secret):
    """The URL of a webhook, which lets its bearer post."""

    noun = "URL"
    variable = "OPS_CHAT_URL"
    file = "./ops-chat-url"
    placeholder = "https://channel.invalid/secret"

    @classmethod
    def check(cls, text: str) -> None:
        """Raises ValueError when it is no http(s) URL."""
        if not is_url(text):
            raise ValueError("is no URL; give it the whole URL, from https:// on, on one line")


class AppriseUrl(Secret):
    """The URL of a service that Apprise knows."""

    noun = "URL"
    variable = "APPRISE_URL"
    file = "./apprise-url"
    placeholder = "json://channel.invalid"

    @classmethod
    def check(cls, text: str) -> None:
        """Raises ValueError when it is no URL."""
        if "://" not in text or not _is_word(text):
            raise ValueError("is no URL that apprise knows; give it one such as service://...")


class ChannelToken(Secret):
    """The token that a channel presents to its server."""

    noun = "token"
    variable = "OPS_CHAT_TOKEN"
    file = "./ops-chat-token"

    @classmethod
    def check(cls, text: str) -> None:
        """Raises ValueError when no header can hold it."""
        if not _is_word(text):
            raise ValueError("has a character that no token can hold; give it the token alone, on one line")


class Password(Secret):
    """The password of a mail server."""

    noun = "password"
    variable = "SMTP_PASSWORD"
    file = "./smtp-password"

    @classmethod
    def check(cls, text: str) -> None:
        """Raises ValueError for a control character."""
        if not text.isprintable():
            raise ValueError("has a control character; give it the password alone, on one line")


class SigningSecret(Secret):
    """One secret that signs messages, or several with a space between them while one replaces another.

    24 to 64 random bytes each: https://github.com/standard-webhooks/standard-webhooks, "Signature scheme".
    """

    variable = "WEBHOOK_SECRET"
    file = "./webhook-secret"
    placeholder = f"whsec_{'A' * 43}="

    @classmethod
    def check(cls, text: str) -> None:
        """Raises ValueError when a part is no signing secret."""
        if not text.split() or not all(24 <= _count_random(secret) <= 64 for secret in text.split()):
            raise ValueError("is no signing secret; give it `whsec_` and 24 to 64 random bytes in Base64")


def _count_random(secret: str) -> int:
    try:
        return len(b64decode(secret.removeprefix("whsec_"), validate=True)) if secret.startswith("whsec_") else 0
    except ValueError:
        return 0


def _is_word(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


class IngestToken(Secret):
    """The token of a registry. It opens POST /events and nothing else."""

    noun = "token"
    variable = "REGISTRY_TOKEN"
    file = "./registry-token"

    @classmethod
    def check(cls, text: str) -> None:
        """Raises ValueError when it is no bearer token of a safe length."""
        check_token(text)

    @property
    def digest(self) -> bytes:
        """The SHA-256 by which a presented token is compared."""
        return hash_token(self._text)


class AccessToken(Secret):
    """A token for the API. It keeps its SHA-256 in the place of the text."""

    noun = "token"
    variable = "TAGTRAIL_TOKEN"
    file = "./tagtrail-token"

    def __init__(self, text: str, origin: str = "", *, is_exposed: bool = False, is_missing: bool = False) -> None:
        super().__init__(hash_token(text).hex(), origin, is_exposed=is_exposed, is_missing=is_missing)

    @classmethod
    def check(cls, text: str) -> None:
        """Raises ValueError when it is no bearer token of a safe length."""
        check_token(text)

    @property
    def digest(self) -> bytes:
        """The SHA-256 by which a presented token is compared."""
        return bytes.fromhex(self._text)


AnySecret = TypeVar("AnySecret", bound=Secret)


def read_secret(kind: type[AnySecret], value: object, source: ConfigSource) -> AnySecret:
    """The secret that a mapping gives as `env`, `file` or `value`. Raises ValueError, which never quotes the secret.

    A patient source gets a missing secret for a channel instead of the error.
    """
    if source.environ is None:
        return kind(kind.placeholder, PLACEHOLDER)
    try:
        return _find_secret(kind, value, source, source.environ)
    except ValueError:
        if source.is_patient and not issubclass(kind, IngestToken | AccessToken):
            return kind("", is_missing=True)
        raise


def _find_secret(kind: type[AnySecret], value: object, source: ConfigSource, environ: Mapping[str, str]) -> AnySecret:
    if not isinstance(value, dict) or set(value) not in ({"value"}, {"env"}, {"file"}):
        raise ValueError(
            f"is not one of value, env and file; write it as `env: {kind.variable}` or `file: {kind.file}`"
        )
    ((key, given),) = value.items()
    subject = ""
    try:
        text = require_text(given)
        if key == "value":
            found = kind(text, "the configuration file", is_exposed=source.is_exposed)
        elif key == "env":
            text = _read_variable(text, kind, environ)
            found = kind(text, f"environment variable {given}")
        else:
            path = _secret_path(text, kind, source.folder)
            subject = f"is {str(path)!r}, which "
            text, is_exposed = read_secret_file(path, noun=kind.noun)
            found = kind(text, f"file {path}", is_exposed=is_exposed)
        kind.check(text)
    except ValueError as error:
        raise ValueError(f".{key} {subject}{error}") from None
    return found


def _read_variable(name: str, kind: type[Secret], environ: Mapping[str, str]) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"is no variable's name; write the name in capital letters, such as {kind.variable}")
    text = environ.get(name, "").strip()
    if not text:
        raise ValueError(f"is {name}, which is not set; start tagtrail with the {kind.noun} in {name}")
    return text


def _secret_path(text: str, kind: type[Secret], folder: Path) -> Path:
    if "/" not in text:
        example = f"{kind.file} or /run/secrets/{Path(kind.file).name}"
        raise ValueError(f"is no path; write it with a slash, such as {example}")
    return folder / text


def check_token(text: str) -> None:
    """Raises ValueError, with a predicate and its cure but not the text, when this cannot be a bearer token."""
    if len(text) < SHORTEST:
        raise ValueError(f"has {len(text)} characters; give it at least {SHORTEST}, as `openssl rand -hex 32` prints")
    if len(text) > LONGEST:
        raise ValueError(f"has {len(text)} characters; give it at most {LONGEST}")
    if not _B64TOKEN.fullmatch(text):
        raise ValueError("has a character that no bearer token can hold; use letters, digits and - . _ ~ + / only")


def read_secret_file(path: Path, *, noun: str) -> tuple[str, bool]:
    """The text of the file without surrounding white space, and whether other users can read the file.

    Raises ValueError, with a predicate about the file and its cure, when it has no text; `noun` is the kind of secret.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
        exposed = is_exposed(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"cannot be read ({reason}); create it, or let this user read it") from None
    if not text:
        raise ValueError(f"is empty; write the {noun} into it")
    return text, exposed


def read_token_file(path: Path) -> tuple[str, bool]:
    """The token in the file, and whether other users can read it. Raises ValueError."""
    text, exposed = read_secret_file(path, noun="token")
    check_token(text)
    return text, exposed


def is_exposed(path: Path) -> bool:
    """Whether users other than the file's owner and group may read it."""
    return bool(path.stat().st_mode & stat.S_IROTH)


def prepare_data_directory(data: Path) -> None:
    """Make the data directory, readable by its owner only. An existing directory keeps its mode.

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


def ingest_token(data: Path) -> IngestToken:
    """The token of the registry without tokens of its own: made on the first call, then read back.

    Raises ConfigurationError when the file can be neither written nor read, or holds no token.
    """
    text, is_exposed = _keep_token(data, INGEST_TOKEN_FILE, consequence="which the registry then needs")
    return IngestToken(text, f"file {data / INGEST_TOKEN_FILE}", is_exposed=is_exposed)


def session_key(data: Path) -> bytes:
    """The key that signs the sessions of browsers. It is kept like the ingest token, and raises the same errors."""
    text, _ = _keep_token(data, SESSION_KEY_FILE, consequence="and everybody signs in again")
    return text.encode()


def _keep_token(data: Path, name: str, *, consequence: str) -> tuple[str, bool]:
    """The token in a file of the data directory, made if there is none, and whether other users can read it.

    A file that holds no token is refused and never replaced, since its token may be in use.
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
            f"or delete it, and the next start makes another one, {consequence}"
        ) from None


def _make_token_file(path: Path) -> None:
    """Write a new token unless there is a file already. A crash leaves no empty file under that name."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "w", encoding="ascii") as file:
            file.write(f"tt_{secrets.token_urlsafe(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was faster, and its token counts
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
