"""The worker, as real gunicorn processes on real sockets; run as a program, this file is the service under test."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tagtrail import logs
from tagtrail.server.connections import ClientConnection, Progress, parse_plain_head
from tagtrail.server.gunicorn import serve
from tagtrail.server.limits import KIB, ServerLimits
from tests.real import TOKEN, eventually, free_port

LARGE = 64 * KIB * 1024  # bytes of the answer that nobody takes at once
ROOT = Path(__file__).parent.parent


# --- the service under test -----------------------------------------------------------------------------------------


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Tells how much it read and which thread did so."""
    path = environ["PATH_INFO"]
    if path == "/large":
        start_response("200 OK", [("Content-Length", str(LARGE))])
        return (b"x" * 64 * KIB for _ in range(LARGE // (64 * KIB)))
    if path == "/broken":
        raise RuntimeError("broken\non purpose")
    if path.endswith("/slow"):
        wait_for_the_test(Path(os.environ["MEETING"]))
    size = len(environ["wsgi.input"].read())
    told = json.dumps({"size": size, "thread": threading.current_thread().name}).encode()
    start_response("202 Accepted", [("Content-Length", str(len(told)))])
    return [told]


def wait_for_the_test(meeting: Path) -> None:
    """Say that a request has come this far, and stay until told to go on."""
    (meeting / "come").write_text("here")
    (meeting / "go").read_text()


def note(what: str) -> None:
    with (Path(os.environ["MEETING"]) / "notes").open("a") as notes:
        notes.write(f"{what} {os.getpid()}\n")


def make_app() -> Any:
    note("make_app")
    return application


def be_ready() -> None:
    note("when_ready")
    print("ready", flush=True)


class Intake:
    """The front's intake under test: says what it was given, and can be made to wait like a busy ledger."""

    def __init__(self, application: Any) -> None:
        assert application is globals()["application"]
        note("make_intake")
        self.is_behind = self.is_far_behind = False
        broken = Path(os.environ["MEETING"]) / "broken"
        if broken.exists():
            broken.unlink()
            raise RuntimeError("no intake on purpose")
        self._busy = Path(os.environ["MEETING"]) / "busy"

    def find_sender(self, authorization: str) -> str | None:
        return "main" if authorization == f"Bearer {TOKEN}" else None

    def record(self, requests: Sequence[tuple[str, bytes]]) -> list[bool] | None:
        if self._busy.exists():
            return None
        for _, body in requests:
            if body == b"unforeseen":
                raise RuntimeError("unforeseen on purpose")
            note(f"recorded-{len(body)}")
        return [body != b"full" for _, body in requests]

    def project(self) -> None:
        pass


def main(port: str, workers: str, limits: str) -> None:
    logs.configure("json", "info")
    serve(
        make_app=make_app,
        make_intake=Intake,
        front_lock=Path(os.environ["MEETING"]) / "front.lock",
        listen=f"127.0.0.1:{port}",
        workers=int(workers),
        when_ready=be_ready,
        on_exit=lambda: note("on_exit"),
        limits=ServerLimits(**json.loads(limits)),
    )


# --- its clients ----------------------------------------------------------------------------------------------------


class Service:
    """A running service and how to talk to it."""

    def __init__(self, meeting: Path, *, workers: int = 1, **limits: float) -> None:
        self.meeting = meeting
        os.mkfifo(meeting / "come")
        os.mkfifo(meeting / "go")
        self.port = free_port()
        self._connections: list[socket.socket] = []
        self._log = (meeting / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self.port), str(workers), json.dumps(limits)],
            cwd=ROOT,
            env={**os.environ, "MEETING": str(meeting), "HOME": str(meeting), "XDG_RUNTIME_DIR": ""},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.log()

    def connect(self, sent: bytes = b"") -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self._connections.append(sock)
        sock.sendall(sent)
        return sock

    def ask(self, sent: bytes) -> "Answer":
        return Answer(self.connect(sent))

    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def log(self) -> str:
        return (self.meeting / "log").read_text()

    def notes(self) -> list[str]:
        return [line.split()[0] for line in (self.meeting / "notes").read_text().splitlines()]

    def wait_until_a_request_waits(self) -> None:
        assert (self.meeting / "come").read_text() == "here"

    def let_it_go_on(self) -> None:
        (self.meeting / "go").write_text("go")

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)  # longer than workers may take to finish their requests

    def clean_up(self) -> None:
        for sock in self._connections:
            sock.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()


class Answer:
    """What a connection gave until it was closed."""

    def __init__(self, sock: socket.socket) -> None:
        with sock:
            self.raw = read_to_the_end(sock)
        head, _, self.body = self.raw.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ", 2)[1]) if head else None
        self.head = head.decode("latin-1")

    @property
    def size(self) -> int:
        return int(json.loads(self.body)["size"])

    @property
    def thread(self) -> str:
        """The kind of thread that served it."""
        return str(json.loads(self.body)["thread"]).rpartition("-")[0]


def read_to_the_end(sock: socket.socket) -> bytes:
    pieces = []
    while piece := sock.recv(256 * KIB):
        pieces.append(piece)
    return b"".join(pieces)


def post(path: str = "/events", body: bytes = b"x" * 1500) -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)


def event(body: bytes = b"x" * 1500, *, head: bytes = b"") -> bytes:
    """A POST as a registry sends it."""
    return (
        b"POST /events HTTP/1.1\r\nHost: here\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %d\r\n"
        b"Authorization: Bearer %s\r\n%s\r\n%s" % (len(body), TOKEN.encode(), head, body)
    )


def get(path: str) -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: here\r\n\r\n" % path.encode()


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@contextmanager
def ending(pid: int) -> Iterator[None]:
    """Waits, after what is done within, until that process has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        yield
        assert select.select([descriptor], [], [], 20)[0], f"{pid} is still there"
    finally:
        os.close(descriptor)


Start = Callable[..., Service]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the one service of a test; it is stopped afterwards."""
    started = []

    def start(**options: float) -> Service:
        service = Service(tmp_path, **options)  # type: ignore[arg-type]
        started.append(service)
        return service

    yield start
    for service in started:
        service.clean_up()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for many queries that leave nothing behind."""
    service = Service(tmp_path_factory.mktemp("lasting"))
    yield service
    service.clean_up()


# --- who serves what ------------------------------------------------------------------------------------------------


def test_an_ordinary_event_is_recorded_and_answered_by_the_front(lasting: Service) -> None:
    answer = lasting.ask(event(b"x" * 1501))
    assert (answer.status, answer.body) == (202, b"")
    assert "Connection: close" in answer.head
    assert "Server: tagtrail\r\n" in answer.head
    assert "recorded-1501" in lasting.notes()


def test_an_event_that_was_not_stored_is_answered_503(lasting: Service) -> None:
    answer = lasting.ask(event(b"full"))
    assert (answer.status, answer.body) == (503, b"not stored, send it again\n")
    assert "Retry-After: 5\r\n" in answer.head


@pytest.mark.parametrize("head", [b"X-Unknown: 1\r\n", b"Content-Encoding: gzip\r\n", b"Content-Length: 1503\r\n"])
def test_an_event_whose_head_is_not_ordinary_is_left_to_gunicorns_parser(lasting: Service, head: bytes) -> None:
    assert lasting.ask(event(b"x" * 1503, head=head)).status in (202, 400)
    assert "recorded-1503" not in lasting.notes()


def test_an_event_without_a_known_token_is_left_to_the_application(lasting: Service) -> None:
    answer = lasting.ask(post())
    assert (answer.status, answer.size, answer.thread) == (202, 1500, "prompt")


def test_another_request_is_answered_by_threads_of_its_own(lasting: Service) -> None:
    answer = lasting.ask(get("/api/v1/tags"))
    assert (answer.status, answer.thread) == (202, "answers")


@pytest.mark.parametrize("cut", [3, 30, 700])
def test_an_event_whose_second_half_comes_late_is_answered(lasting: Service, cut: int) -> None:
    late = lasting.connect(event()[:cut])
    assert lasting.ask(event()).status == 202
    late.sendall(event()[cut:])
    assert Answer(late).status == 202


def test_a_busy_ledger_keeps_events_waiting_and_nothing_else(start: Start) -> None:
    service = start()
    (service.meeting / "busy").touch()
    waiting = service.connect(event(b"x" * 1502))
    assert service.ask(get("/api/v1/tags")).status == 202
    assert "recorded-1502" not in service.notes()
    (service.meeting / "busy").unlink()
    assert Answer(waiting).status == 202
    assert "recorded-1502" in service.notes()


def test_a_ledger_that_stays_busy_is_answered_503(start: Start) -> None:
    service = start(storing=0.2)
    (service.meeting / "busy").touch()
    assert service.ask(event()).status == 503


def test_an_unforeseen_error_does_not_end_the_front(start: Start) -> None:
    service = start()
    assert service.ask(event(b"unforeseen")).raw == b""
    assert service.ask(event()).status == 202
    assert "unforeseen on purpose" in service.log()


def test_a_body_larger_than_what_is_held_is_read_while_it_is_served(lasting: Service) -> None:
    answer = lasting.ask(post(body=b"x" * 3_000_000))
    assert (answer.status, answer.size, answer.thread) == (202, 3_000_000, "uploads")


def test_a_chunked_body_is_read_while_it_is_served(lasting: Service) -> None:
    sock = lasting.connect(b"POST /events HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
    sock.sendall(b"6\r\nsecond\r\n0\r\n\r\n")
    answer = Answer(sock)
    assert (answer.status, answer.size, answer.thread) == (202, 11, "uploads")


def test_a_client_that_asks_whether_to_continue_is_told_so(lasting: Service) -> None:
    sock = lasting.connect(b"POST /events HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    sock.sendall(b"first")
    answer = Answer(sock)
    assert (answer.status, answer.size) == (202, 5)


def test_a_client_that_sends_on_still_reads_an_answer_that_came_before_the_end_of_its_body(lasting: Service) -> None:
    sock = lasting.connect(b"POST /broken HTTP/1.1\r\nHost: here\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 300_000)
    sock.sendall(b"x" * 1_700_000)
    assert Answer(sock).status == 500


# --- who cannot hold whom -------------------------------------------------------------------------------------------


def test_half_open_connections_do_not_stop_ingest(start: Start) -> None:
    service = start(workers=2)
    beginnings = [b"", b"POST /eve", post()[:200], b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9"]
    for number in range(64):
        service.connect(beginnings[number % 4])
    times = sorted(seconds_of(lambda: _accepted(service)) for _ in range(500))
    assert times[495] < 1, "an event that waited for them would wait for 30 seconds"


def _accepted(service: Service) -> None:
    assert service.ask(event()).status == 202


def test_half_open_uploads_do_not_stop_questions(start: Start) -> None:
    service = start(upload_threads=1)
    for _ in range(4):
        service.connect(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert service.ask(get("/api/v1/tags")).status == 202


def test_readers_of_large_answers_do_not_stop_ingest(start: Start) -> None:
    service = start(answer_threads=2)
    readers = [service.connect(get("/large")) for _ in range(6)]
    for reader in readers[:2]:
        assert reader.recv(9) == b"HTTP/1.1 "  # both threads are at it
    slowest = max(seconds_of(lambda: _accepted(service)) for _ in range(50))
    assert slowest < 5, "an event that waited for them would wait for 60 seconds"


def test_a_patient_reader_gets_all_of_a_large_answer(lasting: Service) -> None:
    assert len(lasting.ask(get("/large")).body) == LARGE


def test_a_reader_that_stops_reading_is_given_up(start: Start) -> None:
    service = start(answer_threads=1, progress=0.2)
    reader = service.connect(get("/large"))
    assert service.ask(get("/api/v1/tags")).status == 202  # the only thread is free again
    assert len(Answer(reader).body) < LARGE


def test_a_request_that_does_not_arrive_in_time_is_closed(start: Start) -> None:
    service = start(request=0.2)
    for beginning in (b"", b"POST /events HT", post()[:-1]):
        assert service.connect(beginning).recv(100) == b""


def test_a_body_that_does_not_arrive_in_time_is_given_up(start: Start) -> None:
    answer = start(request=0.2).ask(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert answer.status == 500  # this application does not handle it; tagtrail's intake says 503


def test_the_oldest_waiting_connection_gives_way_when_there_are_too_many(start: Start) -> None:
    service = start(waiting=2)
    waiting = [service.connect(b"POST /eve") for _ in range(3)]
    assert waiting[0].recv(100) == b""
    waiting[2].sendall(event()[9:])
    assert Answer(waiting[2]).status == 202


def test_the_oldest_waiting_connection_gives_way_when_they_hold_too_much(start: Start) -> None:
    service = start(waiting_bytes=70_000)
    waiting = [service.connect(event(b"x" * 50_000)[:-1]) for _ in range(2)]
    assert waiting[0].recv(100) == b""
    waiting[1].sendall(b"x")
    assert Answer(waiting[1]).status == 202


def test_more_requests_than_can_wait_for_a_thread_are_answered_that_it_is_busy(start: Start) -> None:
    service = start(answer_threads=1)
    served = service.connect(get("/slow"))
    service.wait_until_a_request_waits()
    waiting = [service.connect(get("/api/v1/tags")) for _ in range(500)]
    busy, _, _ = select.select(waiting, [], [], 20)
    assert busy
    answer = Answer(busy[0])
    assert answer.status == 503
    assert "Retry-After: 1\r\n" in answer.head
    service.let_it_go_on()
    assert (Answer(served).status, Answer(waiting[0]).status) == (202, 202)


# --- what is wrong with a request -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /events HTTP/1.1\r\nno colon SECRET\r\n\r\n", 400),
        (b"POST /events HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
        (b"POST /events HTTP/1.1\r\nContent-Length: SECRET\r\n\r\n", 400),
        (b"POST /events HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"POST /events HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /events HTTP/1.1\r\nTransfer-Encoding: SECRET\r\n\r\n", 501),
        (b"POST /events HTTP/1.1\r\nExpect: SECRET\r\n\r\n", 417),
        (b"POST /events HTTP/9.9\r\n\r\n", 400),
        (b"POST /events\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\n\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
    ],
)
def test_a_malformed_request_is_refused_and_not_repeated_in_the_log(lasting: Service, sent: bytes, status: int) -> None:
    before = len(lasting.log())
    answer = lasting.ask(sent)
    logged = lasting.log()[before:]
    assert answer.status == status
    assert b"Traceback" not in answer.raw
    assert "a malformed request" in logged
    assert "SECRET" not in logged


def test_an_error_of_the_application_is_answered_500_and_logged_on_one_line(start: Start) -> None:
    service = start()
    answer = service.ask(get("/broken"))
    assert (answer.status, answer.body) == (500, b"500 Internal Server Error\n")
    records = [json.loads(line) for line in service.log().splitlines()]
    [failure] = [record for record in records if record["level"] == "error"]
    assert (failure["event"], failure["method"], failure["path"]) == ("a request failed", "GET", "/broken")
    assert "RuntimeError: broken\non purpose" in failure["exception"]
    assert service.ask(post()).status == 202


# --- life and death -------------------------------------------------------------------------------------------------


@pytest.mark.timeout(60)  # a worker that ends too early never comes to the meeting
@pytest.mark.parametrize("path", ["/events/slow", "/api/slow"])
def test_sigterm_lets_a_request_in_flight_be_answered_and_the_service_exit(start: Start, path: str) -> None:
    service = start(workers=2)
    workers = [os.pidfd_open(pid) for pid in _until_booted(service, 2)]
    waiting = service.connect(b"POST /eve")
    asked = service.connect(post(path))
    service.wait_until_a_request_waits()
    service.process.terminate()
    assert len(select.select(workers, [], [], 20)[0]) == 1  # the other one has nothing to finish
    service.let_it_go_on()
    assert Answer(asked).status == 202
    assert waiting.recv(100) == b""
    assert service.process.wait(20) == 0
    for descriptor in workers:
        os.close(descriptor)


def test_nothing_is_accepted_any_more_once_the_service_has_stopped(start: Start) -> None:
    service = start(workers=2)
    assert service.stop() == 0
    with pytest.raises(ConnectionRefusedError):
        service.connect()


def test_the_workers_end_when_the_master_is_killed(start: Start) -> None:
    service = start(workers=2)
    first, second = _until_booted(service, 2)
    with ending(first), ending(second):
        service.process.kill()


def test_a_killed_worker_is_replaced(start: Start) -> None:
    service = start()
    service.ask(post())
    [worker] = service.workers()
    with ending(worker):
        os.kill(worker, signal.SIGKILL)
    assert service.ask(post()).status == 202


def front_of(service: Service) -> int:
    """The process that has become the front last."""
    fronts = [line for line in (service.meeting / "notes").read_text().splitlines() if line.startswith("make_intake")]
    return int(fronts[-1].split()[1])


def test_another_worker_becomes_the_front_when_the_front_is_killed(start: Start) -> None:
    service = start(workers=2)
    _until_booted(service, 2)
    for _ in range(3):
        service.ask(event())
        killed = front_of(service)
        os.kill(killed, signal.SIGKILL)
        assert seconds_of(lambda: _accepted(service)) < 1, "200 ms on a machine that has nothing else to do"
        assert front_of(service) != killed
        assert service.ask(get("/api/v1/tags")).status == 202


def test_a_process_that_fails_to_become_the_front_gives_way_to_another(start: Start) -> None:
    service = start(workers=2)
    assert service.ask(event()).status == 202
    killed = front_of(service)
    (service.meeting / "broken").write_text("")
    os.kill(killed, signal.SIGKILL)
    assert service.ask(event()).status == 202
    assert "no intake on purpose" in service.log()


def test_there_is_one_front_however_many_workers_there_are(start: Start) -> None:
    service = start(workers=3)
    _until_booted(service, 3)
    assert service.ask(event()).status == 202
    assert service.notes().count("make_intake") == 1


def test_the_master_starts_and_ends_once_and_each_worker_makes_its_application(start: Start) -> None:
    service = start(workers=2)
    for pid in _until_booted(service, 2):
        assert pid != service.process.pid
    service.stop()
    assert sorted(set(service.notes())) == ["make_app", "make_intake", "on_exit", "when_ready"]
    assert service.notes().count("make_app") == 2
    assert service.notes()[0] == "when_ready"
    assert service.notes()[-1] == "on_exit"


def _until_booted(service: Service, workers: int) -> list[int]:
    """Wait until each worker has made its application."""
    eventually(lambda: service.notes().count("make_app") == workers, "each worker has begun")
    return service.workers()


def test_the_service_opens_no_socket_and_no_file_of_its_own_beside(start: Start) -> None:
    service = start()
    service.ask(post())
    service.stop()
    assert {path.name for path in service.meeting.iterdir()} == {"come", "front.lock", "go", "log", "notes"}
    assert "control" not in service.log().lower()


# --- what has arrived -----------------------------------------------------------------------------------------------


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, ClientConnection]]:
    """A client's end, and the connection that the service has."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield theirs, ClientConnection(ours, ("127.0.0.1", 1), ("127.0.0.1", 2), held=KIB)


@pytest.mark.parametrize(
    ("request_bytes", "last"),
    [
        (get("/healthz"), Progress.WHOLE),
        (post(body=b"four"), Progress.WHOLE),
        (b"POST / HTTP/1.1\r\ncOnTeNt-lEnGtH:\t4 \r\nA: content-length: 9\r\n\r\nfour", Progress.WHOLE),
        (b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", Progress.STREAM),
        (b"POST / HTTP/1.1\r\nTransfer-encoding: chunked\r\n\r\n", Progress.STREAM),
        (post(body=b"x" * KIB)[:KIB], Progress.STREAM),
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n", Progress.STREAM),
        (b"GET / HTTP/1.1\n", Progress.BROKEN),
        (b"\x16", Progress.BROKEN),
    ],
)
def test_a_request_has_arrived_at_its_last_byte_however_it_is_cut(
    ends: tuple[socket.socket, ClientConnection], request_bytes: bytes, last: Progress
) -> None:
    client, connection = ends
    assert connection.receive() is Progress.PARTIAL
    for number in range(len(request_bytes)):
        client.sendall(request_bytes[number : number + 1])
        progress = connection.receive()
        assert progress is (last if number == len(request_bytes) - 1 else Progress.PARTIAL), number
    assert connection.received == request_bytes


def test_a_client_that_hangs_up_is_gone(ends: tuple[socket.socket, ClientConnection]) -> None:
    client, connection = ends
    client.sendall(b"POST /eve")
    client.close()
    assert connection.receive() is Progress.PARTIAL
    assert connection.receive() is Progress.GONE


ORDINARY = b"POST /events HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nAuthorization: Bearer x\r\n\r\n"


def test_an_ordinary_head_is_read() -> None:
    read = parse_plain_head(ORDINARY.replace(b"5", b"\t 17 "))
    assert read is not None
    assert (read.authorization, read.length) == ("Bearer x", 17)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"POST", b"PUT"), (b"POST", b"post"), (b"/events", b"/events?x"), (b"/events", b"//events"),
        (b"HTTP/1.1", b"HTTP/1.0"), (b"Length: 5", b"Length: +5"), (b"Length: 5", b"Length: 5, 5"),
        (b"Length: 5", b"Length: 5\r\nContent-Length: 5"), (b"Length: 5", b"Length: 5\r\nTransfer-Encoding: chunked"),
        (b"Content-Length", b"Content_Length"), (b"Content-Length", b"Content-Length "), (b"Host", b" Host"),
        (b"Host: here", b"Host: he\x00re"), (b"Host: here\r\n", b"Host: here\n"),
        (b"Host: here", b"Host: here\r\n folded"),
        (b"Host: here", b"Expect: 100-continue"), (b"Host: here", b"Upgrade: h2c"), (b"Host: here", b"Trailer: x"),
        (b"Bearer x", b"Bearer x\r\nAuthorization: Bearer y"), (b"Host: here", b"Host: " + b"x" * 9_000),
        (b"Content-Length: 5\r\n", b""),
    ],
)  # fmt: skip
def test_any_other_head_is_left_to_gunicorns_parser(old: bytes, new: bytes) -> None:
    assert ORDINARY.count(old)
    assert parse_plain_head(ORDINARY.replace(old, new, 1)) is None


if __name__ == "__main__":
    main(*sys.argv[1:])
