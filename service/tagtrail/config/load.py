"""Finds the configuration: the command line goes before the environment, and that before the file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import fields, replace

from tagtrail.config.consistency import refuse_contradictions, refuse_dead_routes
from tagtrail.config.document import convert, read_document
from tagtrail.config.model import Config, ConfigFile, NotifyConfig
from tagtrail.config.secrets import ConfigSource, ingest_token, is_exposed
from tagtrail.config.values import ListenAddress, require_text
from tagtrail.errors import ConfigurationError

_T = TypeVar("_T")

# The only variables that stand for a key; tokens come from the variables that the file names.
CONFIG_VARIABLE = "TAGTRAIL_CONFIG"
DATA_VARIABLE = "TAGTRAIL_DATA"
LISTEN_VARIABLE = "TAGTRAIL_LISTEN"


def load(
    path: Path | None = None,
    *,
    listen: str | None = None,
    data: str | Path | None = None,
    environ: Mapping[str, str],
    is_patient: bool = False,
) -> Config:
    """The configuration in force; `path`, `listen` and `data` are from the command line.

    An empty environment variable counts as not set. Paths in the file are relative to the file's folder, all others
    to the working directory. Nothing is written. With `is_patient`, a secret of a channel may be missing, and so may
    its template. Raises ConfigurationError with one sentence for a person.
    """
    document, source, file = _read_file(path, environ, environ, is_patient=is_patient)
    config = _as_config(convert(document, ConfigFile, source), file)
    address = _override("--listen", listen, LISTEN_VARIABLE, environ, ListenAddress.parse)
    directory = _override("--data", None if data is None else str(data), DATA_VARIABLE, environ, require_text)
    config = replace(config, listen=address or config.listen, data=_absolute(directory) or config.data)
    refuse_contradictions(config, needs_templates=not is_patient)
    return config


def load_place(path: Path | None, data: str | None, *, environ: Mapping[str, str]) -> Config:
    """The keys `data`, `ledger` and `public_url` only: a command that reads the ledger needs no secret of the service.

    Raises ConfigurationError.
    """
    document, source, file = _read_file(path, environ, None)
    place = {key: document[key] for key in ("data", "ledger", "public_url") if key in document}
    config = _as_config(convert(place, ConfigFile, source), file)
    return replace(config, data=_absolute(data or environ.get(DATA_VARIABLE)) or config.data)


def load_notify(path: Path | None, *, environ: Mapping[str, str]) -> NotifyConfig:
    """The section `notify`, with placeholders for its secrets: the caller sends nothing. Raises ConfigurationError."""
    document, source, _ = _read_file(path, environ, None)
    config = convert(document.get("notify", {}), NotifyConfig, source, path="notify")
    refuse_dead_routes(config)
    return config


def with_ingest_token(config: Config) -> Config:
    """The configuration in which the registry without tokens has the one in the data directory, made if missing.

    The service needs it, and so does the block for the registry. Raises ConfigurationError when the token can be
    neither made nor read.
    """
    if all(registry.tokens for registry in config.registries):
        return config
    made = (ingest_token(config.data),)
    registries = tuple(
        registry if registry.tokens else replace(registry, tokens=made) for registry in config.registries
    )
    completed = replace(config, registries=registries)
    refuse_contradictions(completed, needs_templates=False)
    return completed


def _override(
    option: str, value: str | None, variable: str, environ: Mapping[str, str], parse: Callable[[str], _T]
) -> _T | None:
    """The value of the option, or else of the variable; None without both."""
    text = environ.get(variable) or None if value is None else value
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigurationError(f"{variable if value is None else option} {error}") from None


def _absolute(directory: str | None) -> Path | None:
    return Path(directory).absolute() if directory else None


def _as_config(file: ConfigFile, source: Path | None) -> Config:
    return Config(**{field.name: getattr(file, field.name) for field in fields(file)}, source=source)


def _read_file(
    path: Path | None, environ: Mapping[str, str], secrets: Mapping[str, str] | None, *, is_patient: bool = False
) -> tuple[Any, ConfigSource, Path | None]:
    """The content of the file, what its values refer to, and its path. Secrets are read from `secrets`."""
    origin, named = ("--config", path) if path else (CONFIG_VARIABLE, environ.get(CONFIG_VARIABLE))
    if not named:
        return {}, ConfigSource(Path.cwd(), secrets), None
    file = Path(named).absolute()
    try:
        content, exposed = file.read_bytes(), is_exposed(file)
    except OSError as error:
        raise ConfigurationError(
            f"{origin} is {str(named)!r}, which cannot be read ({error.strerror}); name a file that this user may read"
        ) from None
    return read_document(content, name=file.name), ConfigSource(file.parent, secrets, exposed, is_patient), file
