"""The `notifications:` block to paste into a registry's config.yml, so that it sends its events here.

One text serves CNCF Distribution 2.7 to 2.8 (the image `registry:2`) and 3.x: its configuration's notifications
section (distribution.github.io/distribution/about/configuration, "notifications") has been the same since 2.7.
"""

import sys

import yaml

from tagtrail.config.model import Config, RegistryConfig
from tagtrail.errors import ConfigurationError

PLACEHOLDER = "THE-TOKEN"

_TEMPLATE = """\
# Paste this into the config.yml of the registry {registry}, and restart the registry; it serves 2.x and 3.x alike.
# The token in it lets its bearer write into the trail: keep the file to the registry's own user.
notifications:
  events:
    # Sends with a multi-platform image the digests of its platforms' images.
    includereferences: true
  endpoints:
    - name: tagtrail
{note}      url: {url}
      headers:
        Authorization: [{authorization}]
      # Times need a unit: the bare number 500 would be 500 nanoseconds. Nothing waits for the answer but the next
      # event; a shorter timeout only makes the registry send the same event more often.
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
_LOOPBACK_NOTE = """\
      # Only a registry on this machine and outside a container reaches this address; for any other, set public_url.
"""
_WILDCARD_NOTE = """\
      # tagtrail listens on every address: put the name by which the registry reaches it here, or set public_url.
"""


def choose_registry(config: Config, name: str | None) -> RegistryConfig:
    """The registry of that name, or the only one. Raises ConfigurationError when that is not exactly one."""
    found = [registry for registry in config.registries if name in (None, registry.name)]
    if len(found) != 1:
        known = ", ".join(registry.name for registry in config.registries)
        asked = f"--registry is {name!r}, which is not configured" if name else "--registry is missing"
        raise ConfigurationError(f"{asked}; name one of {known}")
    return found[0]


def render_notifications(config: Config, registry: RegistryConfig, *, token: str | None = None) -> str:
    """The block as YAML text with comments. The registry's first token is the one to present.

    With `token` that stands in its place, for whoever may not have it. Raises ConfigurationError for a registry without
    tokens: `with_ingest_token` gives it the one on disk.
    """
    if not registry.tokens:
        raise ConfigurationError(f"registry {registry.name!r} has no token yet; start the service once to make one")
    return _TEMPLATE.format(
        registry=registry.name,
        note=_note(config),
        url=_quote(endpoint_url(config)),
        authorization=_quote(f"Bearer {token or registry.tokens[0].reveal()}"),
    )


def endpoint_url(config: Config) -> str:
    """Where the registry has to post: below `public_url`, or else where the service listens."""
    if config.public_url is not None:
        return f"{config.public_url}/events"
    if config.listen.is_wildcard:
        return f"http://127.0.0.1:{config.listen.port}/events"
    return f"http://{config.listen}/events"


def _note(config: Config) -> str:
    if config.public_url is not None:
        return ""
    if config.listen.is_wildcard:
        return _WILDCARD_NOTE
    return _LOOPBACK_NOTE if config.listen.is_loopback else ""


def _quote(text: str) -> str:
    """The text as a double-quoted YAML scalar, on one line whatever is in it."""
    return str(yaml.safe_dump(text, default_style='"', width=sys.maxsize)).rstrip("\n")
