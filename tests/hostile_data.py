"""A service that holds weeks of history and the worst that clients can call themselves, and where its pages are."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import requests

from tagtrail.trail.instant import SECOND
from tagtrail.web.pages import PAGES
from tests.chat import ChatRoom, Reply
from tests.events import INDEX, START, SomeEvent, delete_digest, digest_of, envelope, push
from tests.real import TOKEN, Service, eventually
from tests.weeks import weeks

SCRIPT: Final = "<script>alert(1)</script>"
IMAGE: Final = '"><img src=x onerror=alert(2)>'
REVERSED: Final = "\u202egnp.exe'\"{{7*7}}</title></textarea>\x1b[31m\x07"
TAG: Final = "v" + "0123456789.-_ABC" * 7 + "0123456789.-_Ab"  # the 128 characters that a tag may have
REPOSITORY: Final = ("nasty/" + "very-long-name/" * 20)[:254] + "x"  # the 255 that a repository's name may have
assert (len(TAG), len(REPOSITORY)) == (128, 255)


def settings_for(room: ChatRoom) -> dict[str, Any]:
    """A service that tells the room of everything."""
    channel = {"name": "ops", "kind": "slack", "url": {"value": f"{room.url}/ops"}}
    return {
        "registries": [{"name": "main", "authentication": "htpasswd", "tokens": [{"value": TOKEN}]}],
        "notify": {"debounce": "0s", "channels": [channel], "routes": [{"channels": ["ops"]}]},
    }


@dataclass
class Worst:
    """The service, and what was posted to it. The room refuses every message, in words of its own."""

    directory: Path
    room: ChatRoom
    service: Service = field(init=False)

    def __post_init__(self) -> None:
        self.room.otherwise = Reply(404, body=f"{SCRIPT} {IMAGE}".encode())
        self.service = Service(self.directory, settings_for(self.room))

    def fill(self) -> None:
        """Start the service and have it told everything."""
        self.service.start()
        self._post(weeks(time.time_ns() - 7_200 * SECOND, count=1))
        self._post(_nasty_events((time.time_ns() - START) / SECOND - 3_600))
        for body in (b"not json at all", envelope(SomeEvent(repository="UPPER/CASE", tag=SCRIPT, digest="sha256:zz"))):
            assert self.service.post(body) == 202
        for repository in ("team/web", REPOSITORY):
            self._say_of(repository)
        eventually(lambda: self._items("deliveries?state=failed") != [], "a message failed", seconds=60)

    def _post(self, events: list[SomeEvent]) -> None:
        for at in range(0, len(events), 50):
            assert self.service.post(envelope(*events[at : at + 50])) == 202

    def _say_of(self, repository: str) -> None:
        """What pipelines and people tie to what happened."""
        said = {"change": f"CHG-1 {SCRIPT}", "actor": IMAGE, "note": f"{SCRIPT} {IMAGE}"}
        image = {"environment": "production", "reference": f"{repository}:prod"}
        self._tell("deployments", image | said)
        newest = self._items(f"entries?repository={repository}&limit=2")
        for entry in newest:
            self._tell(f"entries/{entry['seq']}/annotations", {"relation": "ticket"} | said)

    def _tell(self, what: str, said: dict[str, str]) -> None:
        answer = requests.post(f"{self.service.url}/api/v1/{what}", json=said, timeout=10)
        assert answer.status_code == 201, answer.text

    def _items(self, question: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.service.url}/api/v1/{question}", timeout=10)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def addresses(self) -> dict[str, list[str]]:
        """Where each page is, by its name: as somebody meets it, and as the worst makes it."""
        violation = self._items("violations?limit=1")[0]["seq"]
        push_of_worst = self._items(f"entries?repository={REPOSITORY}&limit=1")[0]["seq"]
        failed = self._items("deliveries?state=failed&limit=1")[0]["id"]
        deployed = [self._items(f"deployments?repository={name}&limit=1")[0] for name in ("team/web", REPOSITORY)]
        narrowed = quote(IMAGE)
        found = {
            "overview": ["/", f"/?repository={REPOSITORY}"],
            "log": ["/log", f"/log?repository={REPOSITORY}", f"/log?actor={quote(SCRIPT)}"],
            "entry": [f"/log/{violation}", f"/log/{push_of_worst}"],
            "deployments": ["/deployments", f"/deployments?repository={REPOSITORY}"],
            "deployment": [f"/deployments/{each['seq']}/{each['environment']}" for each in deployed],
            "compare": ["/compare"],
            "registries": ["/registries"],
            "registry": ["/registries/main"],
            "repository": ["/registries/main/team/web", f"/registries/main/{REPOSITORY}"],
            "tag": ["/registries/main/team/web:prod", f"/registries/main/{REPOSITORY}:{TAG}"],
            "digest": [f"/digests/{digest_of('nasty index')}", f"/digests/{digest_of('nasty')}"],
            "violations": ["/violations", "/violations?repository=nothing"],
            "quarantine": ["/quarantine"],
            "messages": ["/messages", "/messages?state=waiting"],
            "message": [f"/messages/{failed}"],
            "search": ["/search", f"/search?q={quote(SCRIPT)}", "/search?q=team", f"/search?q={narrowed}"],
        }
        assert found.keys() == {page.name for page in PAGES}, "a page is missing, or is not tested"
        return found


def _nasty_events(at: float) -> list[SomeEvent]:
    platform = {"os": SCRIPT, "architecture": IMAGE, "variant": REVERSED}
    member = {"digest": digest_of("nasty"), "mediaType": SCRIPT, "platform": platform}
    there = {"repository": REPOSITORY, "agent": IMAGE}
    return [
        push(TAG, "nasty", at, actor=SCRIPT, **there),
        push("prod", "nasty", at + 1, actor=IMAGE, **there),
        push("1.0.0", "nasty", at + 2, actor=REVERSED, address=f"{SCRIPT}:1", **there),
        push("1.0.0", "other", at + 3, actor=IMAGE, **there),
        push("prod", "other", at + 4, actor=REVERSED, **there),
        push("prod", "nasty", at + 5, actor=SCRIPT, **there),
        push("index", "nasty index", at + 6, media_type=INDEX, references=(member,), actor=IMAGE, **there),
        push(SCRIPT, "tag", at + 7, actor=SCRIPT),
        push("latest", "host", at + 8, host=SCRIPT, actor=SCRIPT, repository="nasty/host"),
        push("latest", "kind", at + 9, media_type=IMAGE, actor=SCRIPT, repository="nasty/kind"),
        SomeEvent(action=SCRIPT, repository=IMAGE, tag=IMAGE, digest=IMAGE, at=at + 10, instance=SCRIPT),
        delete_digest("other", at + 11, actor=IMAGE, **there),
    ]
