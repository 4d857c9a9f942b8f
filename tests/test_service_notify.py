"""MessageDraft, as a whole service: real processes, real signals, a chat server, the real registry and skopeo."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from bench.processes import tree

from tagtrail.notify.leader import has_no_leader, leader_lock
from tests.chat import ChatRoom, Reply
from tests.events import digest_of, envelope, push
from tests.real import TOKEN, Layout, Process, Registry, Service, eventually

SECRET = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
ADMIN = "tt_admin-token-that-is-long-enough"


def settings(room: ChatRoom, **notify: Any) -> dict[str, Any]:
    """A service that tells the room by webhook, at once."""
    hook = {"name": "hook", "kind": "webhook", "url": {"value": f"{room.url}/hook"}, "secret": {"value": SECRET}}
    return {
        "notify": {"debounce": "0s", "channels": [hook], "routes": [{"channels": ["hook"]}], **notify},
        "environments": [{"name": "production", "repository": "**", "tag": "prod"}],
        "access": {"read": [{"value": ADMIN}], "admin": [{"value": ADMIN}]},
    }


@pytest.fixture
def service(tmp_path: Path, chat_room: ChatRoom) -> Iterator[Service]:
    service = Service(tmp_path / "service", settings(chat_room))
    yield service
    service.process.kill()


def send(service: Service, tag: str, content: str, at: float, **more: Any) -> None:
    service.deliver(envelope(push(tag, content, at, **more)))


def dispatcher_of(service: Service) -> int | None:
    """The process whose turn it is to dispatch; None while there is none. Others may be waiting for theirs."""
    lock = service.data / "dispatch.lock"
    if not lock.exists():
        return None
    inode = str(lock.stat().st_ino)
    for line in Path("/proc/locks").read_text().splitlines():  # `1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`
        _, kind, _, _, pid, file, *_ = line.replace("-> ", "").split()
        if kind == "FLOCK" and file.rpartition(":")[2] == inode and b"dispatch" in _command(int(pid)):
            return int(pid)
    return None


def _command(pid: int) -> list[bytes]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return []


def its_dispatcher(service: Service, *, after: int | None = None) -> int:
    """The service's dispatcher, when one has its turn that is not the process `after`."""
    eventually(lambda: dispatcher_of(service) not in (None, after), "a dispatcher has its turn")
    found = dispatcher_of(service)
    assert found is not None
    return found


def ids(room: ChatRoom) -> list[str]:
    return [request.headers["webhook-id"] for request in room.requests]


def states(service: Service) -> list[str]:
    answer = requests.get(
        f"{service.url}/api/v1/deliveries", headers={"Authorization": f"Bearer {ADMIN}"}, timeout=10
    ).json()
    return [item["state"] for item in answer["items"]]


def test_a_push_by_skopeo_arrives_as_exactly_one_correct_message(tmp_path: Path, chat_room: ChatRoom) -> None:
    url = {"value": f"{chat_room.url}/services/T0/B0/x"}
    slack = {"name": "ops", "kind": "slack", "url": url}
    config = settings(chat_room, debounce="5s", channels=[slack], routes=[{"channels": ["ops"]}])
    service = Service(tmp_path / "service", config).start()
    registry = Registry(tmp_path / "registry", f"{service.url}/events")
    layout = Layout(tmp_path / "layout")
    one = layout.index("one", "the first")
    try:
        registry.start()
        registry.push(layout.directory, "one", "team/app:1.0.0")
        registry.push(layout.directory, "one", "team/app:prod")
        registry.delivered()
        [request] = chat_room.wait_for(1)
        registry.push(layout.directory, "one", "team/app:prod")  # again: no message
        registry.pull(f"{registry.host}/team/app:prod", tmp_path / "pulled")
        registry.delivered()
        eventually(lambda: states(service) == ["sent"], "it is written down")
        assert len(chat_room.requests) == 1
        text = request.json["text"]
        for part in ("production", "1.0.0", "prod", one.removeprefix("sha256:")[:12], f"{registry.host}/team/app"):
            assert part in text, part
    finally:
        registry.process.stop()
        service.process.kill()


def test_the_next_dispatcher_sends_what_was_recorded_while_none_ran(service: Service, chat_room: ChatRoom) -> None:
    service.start()
    first = its_dispatcher(service)
    os.kill(first, signal.SIGKILL)
    send(service, "prod", "one", 1)
    [request] = chat_room.wait_for(1)
    assert request.json["data"]["digest"] == digest_of("one")
    its_dispatcher(service, after=first)
    eventually(lambda: states(service) == ["sent"], "it is written down")
    assert len(chat_room.requests) == 1


def test_a_dispatcher_killed_after_sending_leaves_the_same_id_to_the_next_one(
    service: Service, chat_room: ChatRoom
) -> None:
    service.start()
    chat_room.will(Reply(mode="hang"))
    first = its_dispatcher(service)
    send(service, "prod", "one", 1)
    chat_room.wait_for(1)
    os.kill(first, signal.SIGKILL)
    chat_room.wait_for(2)
    assert len(set(ids(chat_room))) == 1
    eventually(lambda: states(service) == ["sent"], "it is written down")


def test_a_worker_that_is_killed_takes_its_dispatcher_along_and_another_starts_one(
    service: Service, chat_room: ChatRoom
) -> None:
    service.start()
    first = its_dispatcher(service)
    parent = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    send(service, "prod", "one", 1)
    its_dispatcher(service, after=first)
    chat_room.wait_for(1)
    eventually(lambda: states(service) == ["sent"], "it is written down")
    assert len(chat_room.requests) == 1


def test_a_channel_whose_secret_goes_away_stops_no_other_when_the_dispatcher_starts_again(
    tmp_path: Path, chat_room: ChatRoom
) -> None:
    secret = tmp_path / "url"
    secret.write_text(f"{chat_room.url}/gone")
    secret.chmod(0o600)
    gone = {"name": "gone", "kind": "slack", "url": {"file": str(secret)}}
    config = settings(chat_room)
    config["notify"]["channels"].append(gone)
    config["notify"]["routes"] = [{"channels": ["gone", "hook"], "tag": "prod"}]
    service = Service(tmp_path / "service", config | {"limits": {"workers": 1}}).start()
    try:
        first = its_dispatcher(service)
        secret.rename(tmp_path / "elsewhere")
        os.kill(first, signal.SIGKILL)
        send(service, "prod", "one", 1)
        [request] = chat_room.wait_for(1)
        assert request.path == "/hook"
        secret.write_text(f"{chat_room.url}/gone")
        secret.chmod(0o600)
        assert {request.path for request in chat_room.wait_for(2)} == {"/hook", "/gone"}
        assert service.process.stop() == 0
        secret.unlink()
        refused = refusal(service, "serve")
        assert "notify.channels[1].url.file" in refused
    finally:
        service.process.kill()


def test_the_stop_of_the_service_stops_its_dispatcher(service: Service) -> None:
    service.start()
    its_dispatcher(service)
    assert service.process.stop() == 0
    eventually(lambda: has_no_leader(service.data), "the dispatcher is gone")


def test_without_channels_there_is_no_dispatcher(tmp_path: Path) -> None:
    service = Service(tmp_path / "service").start()
    send(service, "prod", "one", 1)
    assert [pid for pid in tree(service.process.pid) if b"dispatch" in _command(pid)] == []
    assert not (service.data / "dispatch.lock").exists()
    service.process.stop()


def test_the_second_of_two_dispatchers_waits_and_takes_over(
    service: Service, chat_room: ChatRoom, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tagtrail", "dispatch", "--config", str(service.config)]
    one, other = (Process(command, tmp_path / f"{name}.log") for name in ("one", "other"))
    try:
        one.start()
        eventually(lambda: service.data.exists() and not has_no_leader(service.data), "the first is the leader")
        other.start()
        eventually(lambda: "waiting until it ends" in other.log.read_text(), "the second says so")
        assert one.stop() == 0
        eventually(lambda: not has_no_leader(service.data), "the second is the leader")
        assert other.stop() == 0
    finally:
        one.kill()
        other.kill()


def test_a_dispatcher_that_waits_for_the_leader_lock_can_be_stopped(service: Service, tmp_path: Path) -> None:
    service.data.mkdir()
    waiting = Process(
        [sys.executable, "-m", "tagtrail", "dispatch", "--config", str(service.config)], tmp_path / "waiting.log"
    )
    with leader_lock(service.data):
        waiting.start()
        eventually(lambda: "waiting until it ends" in waiting.log.read_text(), "it waits")
        assert waiting.stop() == 0


def test_the_command_line_tests_a_channel_and_shows_the_status_of_each(service: Service, chat_room: ChatRoom) -> None:
    service.start()
    assert service.cli("notify", "test", "hook") == "hook accepted the message (200).\n"
    [request] = chat_room.wait_for(1)
    assert request.json["data"]["kind"] == "test"
    chat_room.will(Reply(410, b"gone"))
    send(service, "prod", "one", 1)
    eventually(lambda: states(service) == ["failed"], "it is given up")
    [row] = [json.loads(line) for line in service.cli("notify", "status", "--json").splitlines()]
    assert (row["channel"], row["failed"], row["waiting"]) == ("hook", 1, 0)
    assert "410" in row["last_problem"]
    [delivery] = [
        json.loads(line) for line in service.cli("notify", "status", "--state", "failed", "--json").splitlines()
    ]
    assert delivery["id"] in service.cli("notify", "status", "--channel", "hook")
    service.cli("notify", "retry", delivery["id"])
    eventually(lambda: states(service) == ["sent"], "it is sent")
    assert "no delivery of hook has failed" in refusal(service, "notify", "retry", "--channel", "hook")
    assert "no delivery of hook waits" in refusal(service, "notify", "drop", "--channel", "hook")
    chat_room.will(Reply(404, b"no such hook"), Reply(404, b"no such hook"))
    send(service, "prod", "two", 2)
    eventually(lambda: states(service) == ["failed", "sent"], "it is given up")
    assert service.cli("notify", "drop", "--channel", "hook") == "1 delivery was dropped.\n"
    assert states(service) == ["sent"]
    assert "404" in refusal(service, "notify", "test", "hook")
    assert "the channels are hook" in refusal(service, "notify", "test", "hok")


def refusal(service: Service, *arguments: str) -> str:
    command = [sys.executable, "-m", "tagtrail", *arguments, "--config", str(service.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    return done.stderr


def test_a_delivery_over_http(service: Service, chat_room: ChatRoom) -> None:
    service.start()
    headers = {"Authorization": f"Bearer {ADMIN}"}
    chat_room.will(Reply(404, b"no such hook"))
    send(service, "prod", "one", 1)
    eventually(lambda: states(service) == ["failed"], "it is given up")
    url = f"{service.url}/api/v1/deliveries"
    [item] = requests.get(url, {"state": "failed", "channel": "hook"}, headers=headers, timeout=10).json()["items"]
    assert requests.get(url, {"channel": "other"}, headers=headers, timeout=10).json()["items"] == []
    found = requests.get(f"{url}/{item['id']}", headers=headers, timeout=10).json()
    assert found["delivery"] == item
    assert [(each["outcome"], each["status"]) for each in found["attempts"]] == [("failed", 404)]
    assert found["attempts"][0]["detail"] is None, "the token has no scope `identity`"
    refused = requests.post(f"{url}/{item['id']}/retry", headers=headers, timeout=10)
    assert refused.status_code == 415, "a web page cannot send JSON"
    again = requests.post(f"{url}/{item['id']}/retry", headers=headers, json={}, timeout=10)
    assert again.json()["delivery"]["state"] in ("waiting", "sending", "sent")
    eventually(lambda: states(service) == ["sent"], "it is sent")
    twice = requests.post(f"{url}/{item['id']}/retry", headers=headers, json={}, timeout=10)
    assert twice.status_code == 422
    assert requests.get(f"{url}/msg_nothing", headers=headers, timeout=10).status_code == 404
    reader = requests.post(
        f"{url}/{item['id']}/retry", headers={"Authorization": f"Bearer {TOKEN}"}, json={}, timeout=10
    )
    assert reader.status_code == 401


def test_no_secret_is_in_the_log(service: Service, chat_room: ChatRoom) -> None:
    service.start()
    chat_room.will(Reply(500), Reply(404, f"{SECRET} {chat_room.url}/hook".encode()))
    send(service, "prod", "one", 1)
    eventually(lambda: states(service) == ["failed"], "it is given up")
    service.process.stop()
    assert "delivery failed" in service.log()
    assert SECRET not in service.log()
    assert f"{chat_room.url}/hook" not in service.log()
    assert SECRET.encode() not in (service.data / "tagtrail.db").read_bytes()
