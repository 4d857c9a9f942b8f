"""The body of every benched POST: one push in the size and shape that `skopeo copy` makes a registry 2.8 send.

It is a template whose placeholders all have a fixed width, so that the load generator fills it in with a few copies
and every request has the same length. `load.lua` knows the placeholders, too.
"""

import hashlib
import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

REPOSITORIES = 20
TAGS = 50  # in each repository: with distinct digests every push but the first of a tag moves it
INSTANCE = "7e12a871-5167-4a32-b893-1775df7d1b5a"

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def template() -> str:
    """The body with `@ID@`, `@TIME@`, `@DIGEST@` (64 hexadecimal digits), `@APP@` and `@TAG@` (two digits each)."""
    references = [
        {"mediaType": _CONFIG, "size": 173, "digest": f"sha256:{'3c' * 32}"},
        {"mediaType": _LAYER, "size": 98, "digest": f"sha256:{'c1' * 32}"},
    ]
    target = {
        "mediaType": _MANIFEST,
        "size": 417,
        "digest": "sha256:@DIGEST@",
        "length": 417,
        "repository": "team/app@APP@",
        "url": "http://registry.example:5000/v2/team/app@APP@/manifests/sha256:@DIGEST@",
        "tag": "t@TAG@",
        "references": references,
    }
    request = {
        "id": "29eabbd0-7777-4b48-8ff5-432891519f8f",
        "addr": "192.0.2.17:59830",
        "host": "registry.example:5000",
        "method": "PUT",
        "useragent": "skopeo/1.9.3",
    }
    event = {
        "id": "@ID@",
        "timestamp": "@TIME@",
        "action": "push",
        "target": target,
        "request": request,
        "actor": {"name": "robot-ci"},
        "source": {"addr": "vm:5000", "instanceID": INSTANCE},
    }
    return json.dumps({"events": [event]}, indent=3)


def bodies(count: int, *, seed: int) -> Iterator[bytes]:
    """Distinct events, one in each body, in the order of the registry's clock; the same ones for the same seed."""
    chance, text = random.Random(seed), template()
    second = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    for number in range(count):
        yield fill_in(
            text,
            event=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            time=f"{second}.{number:09d}Z",
            digest=hashlib.sha256(f"{seed} {number}".encode()).hexdigest(),
            app=number % REPOSITORIES,
            tag=number // REPOSITORIES % TAGS,
        )


def fill_in(text: str, *, event: str, time: str, digest: str, app: int, tag: int) -> bytes:
    """The template with one event's values."""
    values = {"ID": event, "TIME": time, "DIGEST": digest, "APP": f"{app:02d}", "TAG": f"{tag:02d}"}
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text.encode()
