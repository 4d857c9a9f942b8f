"""The whole service as an operator runs it: real gunicorn, real signals, kill -9, a full disk, a crowd of clients."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tagtrail.store.database import Store
from tests.checker import check_ledger
from tests.events import envelope, push
from tests.real import TOKEN, Service, eventually, free_port

CLIENTS, BURST = 32, 10_000


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "service")
    service.start()
    yield service
    service.process.stop()


def check_stopped(service: Service) -> Store:
    """Every promise holds in the data directory of a service that has stopped."""
    store = Store(service.data)
    store.prepare()
    check_ledger(store)
    return store


def recorded_ids(service: Service) -> list[str]:
    """The ids of all events in the ledger."""
    store = check_stopped(service)
    ids = [
        json.loads(line)["event"]
        for (line,) in store.reader().execute("SELECT line FROM lines ORDER BY seq")
        if b'"kind":"push"' in line
    ]
    store.close()
    return ids


class Crowd:
    """Clients that post distinct events until told to stop, and remember what was acknowledged."""

    def __init__(self, service: Service, clients: int = CLIENTS) -> None:
        self.service = service
        self.acknowledged: list[str] = []
        self.answers: list[int] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(client,), daemon=True) for client in range(clients)]
        for thread in self._threads:
            thread.start()

    def _post(self, client: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            event = push(
                f"t{client % 4}", f"{client} {number}", time.time() % 80_000, repository=f"team/app{client % 3}"
            )
            with suppress(requests.RequestException):
                answer = self.service.post(envelope(event))
                self.answers.append(answer)
                if answer == 202:
                    self.acknowledged.append(event.id)

    def wait_for(self, count: int) -> None:
        eventually(lambda: len(self.acknowledged) >= count, f"{count} events are acknowledged", seconds=60)

    def leave(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


def test_ten_kills_under_load_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    service = Service(tmp_path / "service")
    acknowledged: list[str] = []
    for _ in range(10):
        service.start()
        crowd = Crowd(service)
        crowd.wait_for(150)
        service.process.kill()
        crowd.leave()
        acknowledged += crowd.acknowledged
    recorded = recorded_ids(service)
    assert len(recorded) == len(set(recorded))
    assert set(acknowledged) <= set(recorded)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_workers_under_load_lose_nothing_that_was_acknowledged(tmp_path: Path, workers: int) -> None:
    """The front among them, and those that read; with one worker it is both."""
    service = Service(tmp_path / "service", {"limits": {"workers": workers}}).start()
    crowd = Crowd(service, clients=8)
    for number in range(10):
        crowd.wait_for(len(crowd.acknowledged) + 60)
        eventually(lambda: len(worker_pids(service)) == workers, "the killed worker is replaced")
        os.kill(worker_pids(service)[number % workers], signal.SIGKILL)
    crowd.wait_for(len(crowd.acknowledged) + 60)
    crowd.leave()
    service.process.stop()
    recorded = recorded_ids(service)
    assert len(recorded) == len(set(recorded))
    assert set(crowd.acknowledged) <= set(recorded)
    assert set(crowd.answers) <= {202, 503}


def worker_pids(service: Service) -> list[int]:
    pid = service.process.pid
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in children if Path(f"/proc/{child}/stat").read_text().split()[2] != "Z"]


def test_a_reader_sees_every_event_that_was_acknowledged_before(service: Service) -> None:
    crowd = Crowd(service, clients=4)
    for number in range(100):
        event = push("seen", f"seen {number}", number, repository="team/seen")
        assert service.post(envelope(event)) == 202
        answer = requests.get(f"{service.url}/api/v1/tags?repository=team/seen", timeout=20).json()
        assert [tag["digest"] for tag in answer["items"]] == [event.digest]
    crowd.leave()


def test_a_single_worker_answers_pages_and_takes_events(tmp_path: Path) -> None:
    service = Service(tmp_path / "service", {"limits": {"workers": 1}}).start()
    assert service.post(envelope(push("a", "a", 1))) == 202
    assert requests.get(service.url, timeout=20).status_code == 200
    assert service.process.stop() == 0
    assert len(recorded_ids(service)) == 1


def test_a_writer_that_takes_long_delays_no_page(service: Service) -> None:
    store = Store(service.data)
    with ThreadPoolExecutor(1) as pool:
        with store.writing():
            posted = pool.submit(service.post, envelope(push("a", "a", 1)))
            assert requests.get(service.url, timeout=20).status_code == 200
            assert not posted.done()
        assert posted.result(20) == 202
    store.close()


def test_a_stop_under_load_answers_what_is_in_flight(service: Service) -> None:
    crowd = Crowd(service)
    crowd.wait_for(300)
    assert service.process.stop(signal.SIGTERM) == 0
    crowd.leave()
    assert set(crowd.answers) <= {202, 503}
    assert set(crowd.acknowledged) <= set(recorded_ids(service))
    store = Store(service.data)
    kinds = [
        kind for (kind,) in store.reader().execute("SELECT kind FROM entries WHERE kind IN ('started', 'stopped')")
    ]
    assert kinds == ["started", "stopped"]
    store.close()


def test_half_open_connections_do_not_stop_the_intake(service: Service) -> None:
    held = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(64)]
    try:
        for number, connection in enumerate(held):
            if number % 3 == 1:
                connection.sendall(b"POST /events HT")
            elif number % 3 == 2:
                connection.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        took = []
        for number in range(200):
            started = time.monotonic()
            assert service.post(envelope(push("prod", f"{number}", number))) == 202
            took.append(time.monotonic() - started)
        assert sorted(took)[int(len(took) * 0.99)] < 2, "whoever waited for them would wait for 30 seconds"
    finally:
        for connection in held:
            connection.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    disk = tmp_path / "small"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Write a file until nothing fits."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(b"x" * 65_536)
    return filler


def test_a_full_disk_is_answered_503_and_freed_space_lets_it_go_on(tmp_path: Path, small_disk: Path) -> None:
    service = Service(tmp_path / "service", {"data": str(small_disk / "data")}).start()
    try:
        filler = fill(small_disk)
        crowd = Crowd(service, clients=4)
        eventually(lambda: 503 in crowd.answers, "the full disk is answered 503", seconds=60)
        eventually(lambda: not service.is_ready(), "a service with a full disk is not ready")
        filler.unlink()
        before = len(crowd.acknowledged)
        eventually(lambda: len(crowd.acknowledged) > before + 20, "everything goes on", seconds=60)
        crowd.leave()
    finally:
        assert service.process.stop() == 0
    assert set(crowd.answers) == {202, 503}
    assert set(crowd.acknowledged) <= set(recorded_ids(service))


@pytest.mark.timeout(500)  # 80 seconds on a quiet machine
def test_a_burst_of_a_registry_is_taken_without_a_timeout(service: Service) -> None:
    """As the registry sends: one event for a POST, one POST at a time, a new connection each, 1 s, then again.

    The write-ahead log is written back some forty times meanwhile; the benchmark sends five times as many.
    """
    bodies = [envelope(push(f"t{number % 40}", f"{number}", number / 100)) for number in range(BURST)]
    header = f"POST /events HTTP/1.1\r\nHost: tagtrail\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: "
    retries = 0
    for body in bodies:
        while not _send(service.port, header.encode() + b"%d\r\n\r\n" % len(body) + body):
            retries += 1
            assert retries <= 50, "a busy machine may hold up one in a thousand, the service holds up none"
    service.process.stop()
    store = Store(service.data)
    assert store.reader().execute(
        "SELECT count(*), count(DISTINCT event) FROM entries WHERE kind = 'push'"
    ).fetchone() == (BURST, BURST)
    store.close()


def _send(port: int, request: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(request)
            return connection.recv(4_096).startswith(b"HTTP/1.1 202")
    except OSError:
        return False


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1]])
def test_no_token_and_any_wrong_token_get_the_same_answer(service: Service, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.post(f"{service.url}/events", data=envelope(push("a", "a", 1)), headers=headers, timeout=5)
    assert (answer.status_code, answer.text) == (401, "a valid ingest token is required\n")


def test_a_redirected_post_which_arrives_as_get_fails_loudly(service: Service) -> None:
    answer = requests.get(f"{service.url}/events", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"<html>", {"Content-Type": "text/html"}),
        (b"\x1f\x8b\x08", {"Content-Encoding": "gzip"}),
        (b"[" * 300_000, {}),
        (b'{"events": [{"id": "' + b"x" * 9_000_000 + b'"}]}', {}),
    ],
    ids=["empty", "html", "gzip", "deep", "over the limit"],
)
def test_whatever_a_valid_token_sends_is_accepted_and_kept_apart(
    service: Service, body: bytes, headers: dict[str, str]
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", **headers}
    for _ in range(2):
        assert requests.post(f"{service.url}/events", data=body, headers=headers, timeout=20).status_code == 202
    service.process.stop()
    store = check_stopped(service)
    assert store.reader().execute("SELECT size FROM quarantine").fetchall() == [(len(body),)]
    store.close()


def test_a_chunked_body_is_read(service: Service) -> None:
    whole = envelope(push("a", "a", 1))
    chunks = (whole[at : at + 100] for at in range(0, len(whole), 100))
    answer = requests.post(
        f"{service.url}/events", data=chunks, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5
    )
    assert answer.status_code == 202
    service.process.stop()
    assert len(recorded_ids(service)) == 1


def test_two_services_do_not_share_a_data_directory(service: Service, tmp_path: Path) -> None:
    second = Service(tmp_path / "second", {"data": str(service.data)}, port=free_port())
    second.process.start()
    assert second.process._running is not None
    assert second.process._running.wait(30) == 3
    assert "which another tagtrail is using" in second.log()


def test_no_secret_is_in_the_log(service: Service) -> None:
    service.post(envelope(push("a", "a", 1, actor="alice")))
    service.post(b"nonsense")
    service.process.stop()
    assert TOKEN not in service.log()
    assert "alice" not in service.log()


def test_many_clients_at_once_are_all_answered(service: Service) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        bodies = [envelope(push("prod", f"{number}", number)) for number in range(1_000)]
        assert set(pool.map(service.post, bodies)) == {202}
    service.process.stop()
    assert len(recorded_ids(service)) == 1_000
