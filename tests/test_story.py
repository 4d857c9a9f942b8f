"""The whole path with the real registry and the real client: the trail matches the pushes."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tagtrail.store.database import Store
from tests.checker import check_ledger
from tests.real import Layout, Registry, Service, eventually
from tests.story import APP, Digests, tell_story


@dataclass
class World:
    """A registry and tagtrail side by side."""

    service: Service
    registry: Registry

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.service.rows(sql)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    service = Service(tmp_path / "tagtrail")
    registry = Registry(tmp_path / "registry", events_url=f"{service.url}/events")
    service.start()
    registry.start()
    yield World(service, registry)
    registry.process.stop()
    assert service.process.stop() == 0
    store = Store(service.data)
    check_ledger(store)
    store.close()


@pytest.fixture
def digests(world: World, tmp_path: Path) -> Digests:
    """The digests, after the whole story was pushed."""
    return tell_story(world.registry, tmp_path / "layout")


MOVES = (
    "SELECT tags.name, moves.kind, manifests.digest FROM moves JOIN tags ON tags.id = tag_id"
    " JOIN repositories ON repositories.id = tags.repository_id LEFT JOIN manifests ON manifests.id = manifest_id"
    " WHERE repositories.name = '{}' ORDER BY moves.occurred_at"
)


def test_the_trail_matches_the_story(world: World, digests: Digests) -> None:
    assert world.rows(MOVES.format(APP)) == [
        ("1.0.0", "created", digests.first),
        ("stable", "created", digests.first),
        ("prod", "created", digests.first),
        ("1.1.0", "created", digests.second),
        ("stable", "moved", digests.second),
        ("prod", "moved", digests.second),
        ("prod", "moved_back", digests.first),
        ("1.0.0", "moved", digests.overwritten),
    ]
    assert world.rows(MOVES.format("team/worker"))[:2] == [
        ("latest", "created", digests.spare), ("staging", "created", digests.spare),
    ]  # fmt: skip
    assert sorted(world.rows(MOVES.format("team/worker"))[2:]) == [  # one delete, of the digest: in any order
        ("latest", "deleted", None), ("staging", "deleted", None),
    ]  # fmt: skip
    assert world.rows("SELECT name FROM moves JOIN tags ON tags.id = tag_id WHERE violates = 1") == [("1.0.0",)]
    assert world.rows("SELECT environment, direction FROM publications ORDER BY occurred_at") == [
        ("production", "first"), ("production", "forward"), ("production", "back"),
        ("staging", "first"), ("staging", None),
    ]  # fmt: skip


def test_the_recorded_digest_is_the_one_the_client_saw(world: World, digests: Digests) -> None:
    for reference, digest in (
        (f"{APP}:prod", digests.first),
        (f"{APP}:1.1.0", digests.second),
        ("team/multi:2.0.0", digests.index),
    ):
        assert world.registry.digest(reference) == digest


def test_an_index_leads_from_a_platforms_digest_back_to_the_tag(world: World, digests: Digests) -> None:
    members = world.rows(
        "SELECT platform, tags.name FROM index_members JOIN tags ON tags.head_id = index_id ORDER BY platform"
    )
    assert [name for _, name in members] == ["2.0.0", "2.0.0"]


def test_the_pulled_image_is_byte_for_byte_the_pushed_one(world: World, digests: Digests, tmp_path: Path) -> None:
    """Pull by the recorded reference, after the local images were removed."""
    shutil.rmtree(tmp_path / "layout")
    [(line,)] = world.rows(
        "SELECT line FROM entries JOIN lines USING (seq) JOIN tags ON tags.id = tag_id"
        " JOIN manifests ON manifests.id = manifest_id"
        f" WHERE tags.name = '1.1.0' AND digest = '{digests.second}' LIMIT 1"
    )
    recorded = json.loads(line)
    again = Layout(tmp_path / "expected")
    assert again.image("second", "version 1.1.0") == digests.second
    world.registry.pull(f"{recorded['host']}/{recorded['repository']}@{recorded['digest']}", tmp_path / "pulled")
    pushed, pulled = tmp_path / "expected/blobs/sha256", tmp_path / "pulled/blobs/sha256"
    assert sorted(path.name for path in pulled.iterdir()) == sorted(path.name for path in pushed.iterdir())
    assert all((pulled / path.name).read_bytes() == path.read_bytes() for path in pushed.iterdir())


def test_events_held_while_tagtrail_was_down_arrive_once(world: World, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.image("a", "a")
    layout.image("b", "b")
    world.registry.push(layout.directory, "a", f"{APP}:prod")
    world.registry.delivered()
    world.service.process.stop()
    world.registry.push(layout.directory, "b", f"{APP}:prod")
    eventually(lambda: world.registry.pending() > 0, "the registry waits")
    world.service.start()
    world.registry.delivered()
    kinds = [kind for _, kind, _ in world.rows(MOVES.format(APP))]
    assert kinds == ["created", "moved"]
    assert world.rows("SELECT sum(events) FROM traffic WHERE action = 'push_blob'") == [(4,)]


def test_a_restarted_registry_is_noticed_and_its_events_continue(world: World, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.image("a", "a")
    world.registry.push(layout.directory, "a", f"{APP}:1.0")
    world.registry.delivered()
    world.registry.process.stop()
    world.registry.start()
    world.registry.push(layout.directory, "a", f"{APP}:2.0")
    world.registry.delivered()
    assert world.rows("SELECT count(*) FROM entries WHERE kind = 'registry'") == [(2,)]
    assert world.rows("SELECT count(*) FROM tags WHERE head_id IS NOT NULL") == [(2,)]


def test_the_service_answers_over_http(world: World, digests: Digests) -> None:
    answer = requests.get(f"{world.service.url}/healthz", timeout=5)
    assert answer.text == "alive\n"
