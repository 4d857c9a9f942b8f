"""The `notifications:` settings that make a registry send its events here, in three forms to paste.

One text serves CNCF Distribution 2.7 to 2.8 (the image `registry:2`) and 3.x: its configuration's notifications
section (distribution.github.io/distribution/about/configuration, "notifications") has been the same since 2.7.
"""

import shlex
import sys
from textwrap import indent
from typing import Final, Literal, get_args

import yaml

from tagtrail.config.model import Config, RegistryConfig
from tagtrail.errors import ConfigurationError

BlockForm = Literal["file", "compose", "environment"]
BLOCK_FORMS: Final[tuple[BlockForm, ...]] = get_args(BlockForm)
PLACEHOLDER: Final = "THE-TOKEN"

_FILE: Final = """\
# Paste this into the config.yml of the registry {registry}, and restart the registry. It works for 2.x and 3.x.
# It holds a token that may write into the trail: let only the registry's own user read the file.
notifications:
  events:
    # Sends with a multi-platform image the digests of its platforms' images.
    includereferences: true
  endpoints:
    - name: tagtrail
{note}      url: {url}
      headers:
        Authorization: [{authorization}]
      # Times need a unit: the bare number 500 would be 500 nanoseconds. Only the next event waits for the answer; a
      # shorter timeout only makes the registry send the same event more often.
      timeout: 5s
      threshold: 10
      backoff: 1s
      # Uploads of layers and all pulls are nine tenths of the events and change no tag. To have pulls counted, take
      # `actions` out. To have layers counted as well, take `ignore` out altogether: before 3.1, `actions` has no
      # effect without a media type beside it.
      ignore:
        mediatypes: [application/octet-stream]
        actions: [pull]
"""
_COMPOSE: Final = """\
# Paste this into the service of the registry {registry} in compose.yml, then run: docker compose up --detach
# It holds a token that may write into the trail: let only yourself read the file.
{note}environment:
  REGISTRY_NOTIFICATIONS: |
{value}
"""
_ENVIRONMENT: Final = """\
# Run this in the shell that starts the registry {registry}, then start it. To hand the variable to a container:
# docker run --env REGISTRY_NOTIFICATIONS ... registry:2
# It holds a token that may write into the trail.
{note}export REGISTRY_NOTIFICATIONS={value}
"""
_LOOPBACK_NOTE: Final = """\
# Only a registry on this machine and outside a container reaches this address; for any other, set public_url.
"""
_WILDCARD_NOTE: Final = """\
# tagtrail listens on every address: put the name by which the registry reaches it here, or set public_url.
"""


def choose_registry(config: Config, name: str | None) -> RegistryConfig:
    """The registry of that name, or the only one. Raises ConfigurationError when that is not exactly one."""
    found = [registry for registry in config.registries if name in (None, registry.name)]
    if len(found) != 1:
        known = ", ".join(registry.name for registry in config.registries)
        given = f"--registry is {name!r}, which is not configured" if name else "--registry is missing"
        raise ConfigurationError(f"{given}; name one of {known}")
    return found[0]


def render_notifications(
    config: Config, registry: RegistryConfig, *, token: str | None = None, form: BlockForm = "file"
) -> str:
    """The settings in one form, with comments: for `config.yml`, a compose file, or an environment variable.

    The two others carry the same settings in one variable, `REGISTRY_NOTIFICATIONS`: Distribution reads a variable's
    value as YAML. Without `token` the text holds the registry's first token. Raises ConfigurationError for a registry
    without tokens; `with_ingest_token` gives it the one on disk.
    """
    if not registry.tokens:
        raise ConfigurationError(f"registry {registry.name!r} has no token yet; start the service once to make one")
    note = _note(config)
    text = _FILE.format(
        registry=registry.name,
        note=indent(note, " " * 6),
        url=_quote(endpoint_url(config)),
        authorization=_quote(f"Bearer {token or registry.tokens[0].reveal()}"),
    )
    if form == "file":
        return text
    settings = yaml.safe_load(text)["notifications"]
    if form == "compose":
        return _COMPOSE.format(
            registry=registry.name, note=note, value=indent(_dump(settings).replace("$", "$$"), " " * 4)
        )
    return _ENVIRONMENT.format(registry=registry.name, note=note, value=shlex.quote(_dump(settings, flow=True)))


def service_url(config: Config) -> str:
    """The address of the service without a slash at its end: `public_url`, or else the address it listens on."""
    if config.public_url is not None:
        return config.public_url
    if config.listen.is_wildcard:
        return f"http://127.0.0.1:{config.listen.port}"
    return f"http://{config.listen}"


def endpoint_url(config: Config) -> str:
    """The address that the registry posts its events to."""
    return f"{service_url(config)}/events"


def _note(config: Config) -> str:
    if config.public_url is not None:
        return ""
    if config.listen.is_wildcard:
        return _WILDCARD_NOTE
    return _LOOPBACK_NOTE if config.listen.is_loopback else ""


def _dump(settings: object, *, flow: bool = False) -> str:
    """The settings as YAML: a block of lines, or one line."""
    return str(yaml.safe_dump(settings, sort_keys=False, default_flow_style=flow, width=sys.maxsize)).rstrip("\n")


def _quote(text: str) -> str:
    """The text as a double-quoted YAML scalar, on one line for any text."""
    return str(yaml.safe_dump(text, default_style='"', width=sys.maxsize)).rstrip("\n")
