"""Answers and pages at size: in the store, and over HTTP with a new connection each."""

import http.client
import time
from collections.abc import Iterator

from bench.figures import percentile
from bench.plan import Bench
from bench.questions import PAGES, QUESTIONS, Known, ask_store, draw, draw_pages, find_known, path_of
from bench.servers import ours_filled
from bench.table import Row
from bench.wrk import NotMeasuredError
from tagtrail.store.database import Store

_IN_STORE = 0.005  # seconds
_OVER_HTTP = 0.025
Times = dict[str, list[float]]


def measure(bench: Bench) -> Iterator[Row]:
    """Three rows for each size; below the table each question's median and p99."""
    for entries in bench.plan.stored:
        directory, count = bench.filled(entries), bench.plan.asked
        with ours_filled(directory, entries) as service:
            store = Store(service.service.data)
            known = find_known(store)
            in_store = {question: _in_store(store, question, known, count) for question in QUESTIONS}
            over_http = {question: _over_http(service.port, question, known, count) for question in QUESTIONS}
            pages = {page: _shown(service.port, page, known, count) for page in PAGES}
            store.close()
        yield _row(f"any answer at {entries:,} entries, in the store", in_store, _IN_STORE)
        yield _row(f"any answer at {entries:,} entries, over HTTP", over_http, _OVER_HTTP)
        yield _row(f"any page for people at {entries:,} entries, over HTTP", pages, _OVER_HTTP)


def _in_store(store: Store, question: str, known: Known, count: int) -> list[float]:
    return [ask_store(store, *asked) for asked in draw(question, known, count)]


def _over_http(port: int, question: str, known: Known, count: int) -> list[float]:
    return [get(port, path_of(*asked)) for asked in draw(question, known, count)]


def _shown(port: int, page: str, known: Known, count: int) -> list[float]:
    return [get(port, address) for address in draw_pages(page, known, count)]


def get(port: int, path: str) -> float:
    """GET a page over a connection of its own; the seconds it took. Raises NotMeasuredError for an error."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    if answer.status not in (200, 303):
        raise NotMeasuredError(f"GET {path} was answered {answer.status}")
    return time.perf_counter() - started


def _row(what: str, times: Times, goal: float) -> Row:
    slowest = max(times, key=lambda question: percentile(times[question], 99))
    p99 = percentile(times[slowest], 99)
    within = sum(percentile(values, 99) < goal for values in times.values())
    return Row(
        what=what,
        goal=f"p99 < {goal * 1000:.0f} ms",
        measured=f"p99 {p99 * 1000:.1f} ms",
        reached=p99 < goal,
        detail=f"the slowest of {len(times)} questions: {slowest}; {within} of them are within the goal",
        more=tuple(_line(question, values) for question, values in times.items()),
    )


def _line(question: str, values: list[float]) -> str:
    return f"{question}: p50 {percentile(values, 50) * 1000:.2f} ms, p99 {percentile(values, 99) * 1000:.2f} ms"
