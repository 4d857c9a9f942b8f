"""Event bodies as CNCF Distribution sends them, for tests that need many."""

import hashlib
import json
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from tagtrail.trail.instant import SECOND, format_instant, parse_instant

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
BLOB = "application/octet-stream"
START = parse_instant("2026-04-20T12:00:00Z")


def digest_of(content: str) -> str:
    """The digest of this content."""
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class SomeEvent:
    """One event; `at` is in seconds after START, by the registry's clock."""

    action: str = "push"
    repository: str = "team/app"
    tag: str | None = None
    digest: str | None = None
    at: float = 0
    media_type: str = MANIFEST
    actor: str = ""
    address: str = "192.0.2.7:40000"
    agent: str = "docker/27"
    host: str = "registry.example:5000"
    instance: str = "instance-1"
    method: str = "PUT"
    request: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    references: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The event as JSON values."""
        target: dict[str, Any] = {"repository": self.repository}
        if self.action != "delete":
            target |= {"mediaType": self.media_type, "size": 417, "length": 417}
        for name, value in (("digest", self.digest), ("tag", self.tag), ("references", list(self.references))):
            if value:
                target[name] = value
        return {
            "id": self.id,
            "timestamp": format_instant(START + int(self.at * SECOND)),
            "action": self.action,
            "target": target,
            "request": {
                "id": self.request or self.id,
                "addr": self.address,
                "host": self.host,
                "method": self.method,
                "useragent": self.agent,
            },
            "actor": {"name": self.actor} if self.actor else {},
            "source": {"addr": "vm:5000", "instanceID": self.instance},
        }


def push(tag: str | None, content: str, at: float, **more: Any) -> SomeEvent:
    """A push of a manifest with this content."""
    return replace(SomeEvent(tag=tag, digest=digest_of(content), at=at), **more)


def delete_tag(tag: str, at: float, **more: Any) -> SomeEvent:
    """A delete that names a tag."""
    return replace(SomeEvent(action="delete", tag=tag, at=at, method="DELETE"), **more)


def delete_digest(content: str, at: float, **more: Any) -> SomeEvent:
    """A delete that names a digest."""
    return replace(SomeEvent(action="delete", digest=digest_of(content), at=at, method="DELETE"), **more)


def delete_repository(at: float, **more: Any) -> SomeEvent:
    """A delete of a whole repository."""
    return replace(SomeEvent(action="delete", at=at, method="DELETE"), **more)


def envelope(*events: SomeEvent) -> bytes:
    """The body of one POST."""
    return json.dumps({"events": [event.as_dict() for event in events]}, indent=3).encode()
