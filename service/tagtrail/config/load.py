"""Finds the configuration: the command line before the environment, before the file, before the defaults."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tagtrail.config import fields
from tagtrail.config.contradictions import refuse_contradictions
from tagtrail.config.document import Node, read_document
from tagtrail.config.model import Config
from tagtrail.config.reader import read_config
from tagtrail.config.secrets import ingest_token, is_exposed
from tagtrail.config.sources import Surroundings
from tagtrail.errors import ConfigurationError

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
    """The configuration in force; `path`, `listen` and `data` are what the command line says, None for nothing.

    An empty environment variable counts as not set. Paths in the file are relative to the file's folder, all others
    to the working directory. Nothing is written. With `is_patient` a channel whose secret is not there has that as its
    trouble. Raises ConfigurationError with one sentence for a person.
    """
    config = _read(path, environ, is_patient=is_patient)
    address = _override("--listen", listen, LISTEN_VARIABLE, environ)
    directory = _override("--data", str(data) if data is not None else None, DATA_VARIABLE, environ)
    if address is not None:
        config = replace(config, listen=address.parse(fields.address))
    if directory is not None:
        config = replace(config, data=Path(directory.text()).absolute())
    refuse_contradictions(config)
    return config


def with_ingest_token(config: Config) -> Config:
    """The configuration in which the registry without tokens has the one in the data directory, made if missing.

    For whoever needs to know every token: the service, and the printing of the notifications block. Raises
    ConfigurationError when the token can be neither made nor read.
    """
    if all(registry.tokens for registry in config.registries):
        return config
    made = (ingest_token(config.data),)
    registries = tuple(
        registry if registry.tokens else replace(registry, tokens=made) for registry in config.registries
    )
    completed = replace(config, registries=registries)
    refuse_contradictions(completed)
    return completed


def _override(option: str, value: str | None, variable: str, environ: Mapping[str, str]) -> Node | None:
    if value is not None:
        return Node(option, value)
    return Node(variable, environ[variable]) if environ.get(variable) else None


def _read(path: Path | None, environ: Mapping[str, str], *, is_patient: bool) -> Config:
    origin, named = ("--config", path) if path else (CONFIG_VARIABLE, environ.get(CONFIG_VARIABLE))
    if not named:
        return read_config(Node("", {}), Surroundings(Path.cwd(), environ))
    source = Path(named).absolute()
    try:
        content, exposed = source.read_bytes(), is_exposed(source)
    except OSError as error:
        raise ConfigurationError(
            f"{origin} is {str(named)!r}, which cannot be read ({error.strerror}); name a file that this user may read"
        ) from None
    around = Surroundings(source.parent, environ, exposed, is_patient)
    return replace(read_config(read_document(content, name=source.name), around), source=source)
