"""From a registry's event to the message at the chat server, against the same message posted there directly."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import requests
from tests.chat import ChatRoom
from tests.events import envelope, push
from tests.real import eventually

from bench.figures import percentile
from bench.plan import Bench
from bench.processes import cpu_seconds, pss_bytes, tree
from bench.servers import Ours, ours
from bench.table import Row

_ON_TOP = 0.100  # seconds
_MEMORY = 200_000_000  # bytes
_IDLE = 0.01  # of one core
_SETTLED = 8.0  # seconds after which the dispatcher takes it that there is nothing to do
_RHYTHM = (0.13, 0.29, 0.41, 0.67)  # seconds between events, so that they keep no step with the dispatcher's looks


def measure(bench: Bench) -> Iterator[Row]:
    """Both ways take turns; then the service is left alone, and what that costs is measured."""
    room = ChatRoom()
    try:
        with bench.place("chat") as place, ours(place, settings=_settings(room)) as running:
            told, direct = _take_turns(running, room, bench.plan.told)
            yield _latency_row(told, direct)
            yield from _rest(running, bench.plan.seconds)
    finally:
        room.close()


def _settings(room: ChatRoom) -> dict[str, Any]:
    channel = {"name": "chat", "kind": "slack", "url": {"value": f"{room.url}/services/bench"}}
    return {"notify": {"debounce": "0s", "channels": [channel], "routes": [{"channels": ["chat"]}]}}


def _take_turns(running: Ours, room: ChatRoom, times: int) -> tuple[list[float], list[float]]:
    """The seconds from each POST until its message arrived: by way of tagtrail, and directly."""
    _time(room, lambda: _send_event(running, 0))  # the dispatcher may only be starting
    body = json.dumps(room.requests[0].json, ensure_ascii=False).encode()
    told, direct = [], []
    for number in range(1, times + 1):
        time.sleep(_RHYTHM[number % len(_RHYTHM)])
        told.append(_time(room, lambda number=number: _send_event(running, number)))  # type: ignore[misc]
        direct.append(_time(room, lambda: _post(f"{room.url}/services/bench", body)))
    return told, direct


def _time(room: ChatRoom, send: Callable[[], None]) -> float:
    """The seconds from the beginning of a POST until one more message is at the chat server."""
    count = len(room.requests)
    began = time.perf_counter()
    send()
    room.wait_for(count + 1, seconds=30)
    return time.perf_counter() - began


def _send_event(running: Ours, number: int) -> None:
    if running.service.post(envelope(push("prod", f"image {number}", number))) != 202:
        raise AssertionError("the event was not accepted")


def _post(url: str, body: bytes) -> None:
    requests.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=10)


def _latency_row(told: list[float], direct: list[float]) -> Row:
    on_top = median(told) - median(direct)
    return Row(
        what="from the event's POST to the message at the chat server, on top of posting it directly",
        goal="<= 100 ms",
        measured=f"{on_top * 1000:.0f} ms",
        reached=on_top <= _ON_TOP,
        detail=f"median {median(told) * 1000:.1f} ms, p99 {percentile(told, 99) * 1000:.1f} ms of {len(told)} messages;"
        f" directly {median(direct) * 1000:.1f} ms, p99 {percentile(direct, 99) * 1000:.1f} ms; settling time 0",
    )


def _rest(running: Ours, seconds: float) -> Iterator[Row]:
    """What the dispatcher costs while nothing happens, and what all processes take of memory."""
    pid = running.service.process.pid
    dispatcher = next(one for one in tree(pid) if b"dispatch" in Path(f"/proc/{one}/cmdline").read_bytes())
    eventually(lambda: _pending(running) == 0, "everything is sent")
    time.sleep(_SETTLED)
    before = cpu_seconds(dispatcher)
    time.sleep(seconds)
    used = (cpu_seconds(dispatcher) - before) / seconds
    yield Row(
        what="the dispatcher's processor time while nothing happens",
        goal="<= 1% of a core",
        measured=f"{used:.1%}",
        reached=used <= _IDLE,
        detail=f"in {seconds:g} s; it looks for news every 50 ms then",
    )
    all_of_them = pss_bytes(pid)
    yield Row(
        what="memory of all processes with a dispatcher",
        goal="<= 200 MB",
        measured=f"{all_of_them / 1e6:.0f} MB",
        reached=all_of_them <= _MEMORY,
        detail=f"PSS of {len(list(tree(pid)))} processes, {pss_bytes(dispatcher) / 1e6:.0f} MB for the dispatcher",
    )


def _pending(running: Ours) -> int:
    items = requests.get(f"{running.service.url}/api/v1/deliveries?state=waiting", timeout=10).json()["items"]
    return len(items)
