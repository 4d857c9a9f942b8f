"""The shell commands that make a tag name a digest again; tagtrail shows them and never runs them."""

import shlex
from dataclasses import dataclass
from typing import Final

from tagtrail.trail.names import Reference

_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Commands:
    """Shell commands that put an environment's tag back, one list for each tool; one of the lists is enough."""

    skopeo: tuple[str, ...]
    crane: tuple[str, ...]
    docker: tuple[str, ...]


def make_commands(image: Reference) -> Commands:
    """The commands that make the tag of a reference name its digest again; only the pull where it has no tag.

    None for a host by which tools would not look for the image there, but in the registry that is their default.
    `--all` and `--preserve-digests` keep a multi-platform image whole, so that the digest stays what it was
    (skopeo-copy(1)). What is on this machine's loopback is taken to speak plain HTTP, which skopeo has to be told.
    """
    if not is_clear(image.host):
        return Commands((), (), ())
    pinned = shlex.quote(str(Reference(image.repository, digest=image.digest, host=image.host)))
    pull = f"docker pull {pinned}"
    if image.tag is None:
        return Commands(skopeo=(), crane=(), docker=(pull,))
    tagged = shlex.quote(str(Reference(image.repository, image.tag, host=image.host)))
    plain = " --src-tls-verify=false --dest-tls-verify=false" if _is_loopback(image.host) else ""
    return Commands(
        skopeo=(f"skopeo copy --all --preserve-digests{plain} docker://{pinned} docker://{tagged}",),
        crane=(f"crane tag {pinned} {shlex.quote(image.tag)}",),
        docker=(pull, f"docker image tag {pinned} {tagged}", f"docker image push {tagged}"),
    )


def is_clear(host: str | None) -> bool:
    """Whether tools take it for a host: the rule is that of the Docker reference grammar ("normalize")."""
    return host is not None and (host == "localhost" or "." in host or ":" in host)


def _is_loopback(host: str | None) -> bool:
    return host is not None and (host in _LOOPBACK or host.rpartition(":")[0] in _LOOPBACK)
