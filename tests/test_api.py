"""The questions over HTTP: one query, three formats, honest failures."""

import csv
import io
import json
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tagtrail.api import rendering
from tagtrail.api.listings import LISTINGS, Listing
from tagtrail.errors import StorageUnavailable
from tagtrail.line import hash_leaf
from tests.api_client import RULES, make_app, make_client, story, tell
from tests.conftest import Ledger
from tests.events import SomeEvent, digest_of, envelope, push

NAMES = [listing.name for listing in LISTINGS]
NASTY = [
    "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\tx", "\rx", '"; DROP', "a,b", "<script>alert(1)</script>",
    "line\nfeed", "ünïcødé \U0001f600", "\u202egnp", "{{7*7}}", "' OR 1=1 --", "%s%n", "\x00nul", "a" * 255,
]  # fmt: skip


@pytest.fixture
def client(ledger: Ledger) -> FlaskClient:
    """A client of the API after the story."""
    tell(ledger)
    ledger.put_in_force(RULES)
    ledger.receive_body(envelope(*story()))
    ledger.receive_body(b"junk")
    ledger.receive(SomeEvent(action="pull", digest=digest_of("one"), tag="prod", at=70))
    return make_client(ledger)


def query_of(listing: Listing) -> str:
    """What the list cannot be asked without."""
    return "repository=team/app&tag=prod" if listing.required else ""


def get(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    return client.get(f"/api/v1/{path}", headers=headers)


def rows_of(answer: TestResponse) -> list[dict[str, str]]:
    """A CSV as a spreadsheet reads it."""
    assert answer.data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("listing", LISTINGS, ids=NAMES)
def test_the_suffix_decides_then_accept_and_all_formats_tell_the_same(client: FlaskClient, listing: Listing) -> None:
    query = query_of(listing)
    as_json = get(client, f"{listing.name}?{query}")
    items = as_json.json["items"]  # type: ignore[index]
    assert as_json.mimetype == "application/json"
    assert items
    as_csv = get(client, f"{listing.name}.csv?{query}", Accept="application/json")
    assert as_csv.mimetype == "text/csv"
    assert len(rows_of(as_csv)) == len(items)
    assert get(client, f"{listing.name}?{query}", Accept="text/csv").data == as_csv.data
    as_lines = get(client, f"{listing.name}.ndjson?{query}")
    assert as_lines.mimetype == "application/x-ndjson"
    lines = [json.loads(line) for line in as_lines.data.splitlines()]
    assert lines == ([item["entry"] for item in items] if listing.name == "entries" else items)
    assert get(client, f"{listing.name}?{query}", Accept="application/x-ndjson").data == as_lines.data
    assert get(client, f"{listing.name}.json?{query}", Accept="text/csv").json == as_json.json
    assert get(client, f"{listing.name}?{query}", Accept="text/html,*/*;q=0.8").mimetype == "application/json"
    assert get(client, f"{listing.name}?{query}", Accept="image/png").status_code == 406


def test_entries_as_ndjson_are_the_stored_bytes(client: FlaskClient, ledger: Ledger) -> None:
    lines = get(client, "entries.ndjson").data.split(b"\n")[:-1]
    stored = ledger.rows("SELECT line, leaf FROM lines ORDER BY seq DESC")
    assert [(line, hash_leaf(line)) for line in lines] == stored
    assert [item["line"].encode() for item in get(client, "entries").json["items"]] == lines  # type: ignore[index]


def test_an_entry_tells_who_and_how_sure_that_is(client: FlaskClient) -> None:
    (item,) = get(client, "entries?actor=mallory").json["items"]  # type: ignore[index]
    assert item["who"] == {"actor": "mallory", "address": "192.0.2.7:40000", "user_agent": "docker/27"}
    assert (item["actor"], item["actor_assurance"]) == ("mallory", "claimed")
    assert item["reference"] == f"registry.example:5000/team/app:1.0.0@{digest_of('three')}"
    assert item["changes"][0]["violation"] is True


def test_a_reference_has_the_configured_host_whatever_a_client_called_it(ledger: Ledger) -> None:
    ledger.receive(push("prod", "one", 1, host="localhost:5000"))
    client = make_client(ledger)
    (item,) = get(client, "tags").json["items"]  # type: ignore[index]
    assert item["reference"] == f"localhost:5000/team/app:prod@{digest_of('one')}"
    before = get(client, "tags").headers["ETag"]
    ledger.put_in_force(RULES)
    answer = get(client, "tags", **{"If-None-Match": before})
    assert answer.json["items"][0]["reference"].startswith("registry.example:5000/")  # type: ignore[index]


def test_deployments_in_json(client: FlaskClient) -> None:
    items = get(client, "deployments?environment=production").json["items"]  # type: ignore[index]
    back = items[1]
    assert back["direction"] == "back"
    assert (back["at"], back["until"]) == ("2026-04-20T12:00:20.000000000Z", "2026-04-20T12:01:00.000000000Z")
    assert (back["seconds"], back["previous"]["seconds"]) == (40, 8)
    assert (back["release_tags_then"], back["release_tags_now"], back["unpinned"]) == (["1.0.0"], [], False)
    assert back["reference"] == f"registry.example:5000/team/app:prod@{digest_of('one')}"
    assert back["previous"]["release_tags_then"] == ["1.1.0"]
    assert back["seq"] in back["lines"]


def test_a_page_links_to_the_next(client: FlaskClient) -> None:
    seen: list[int] = []
    path = "entries?repository=team/*&limit=4"
    while True:
        answer = get(client, path)
        body: Any = answer.json
        seen += [item["seq"] for item in body["items"]]
        assert ("Link" in answer.headers) == (body["next"] is not None)
        if body["next"] is None:
            break
        target, _, relation = answer.headers["Link"].partition("; ")
        assert relation == 'rel="next"'
        assert parse_qs(target.strip("<?>"))["cursor"] == [body["next"]]
        path = f"entries{target.strip('<>')}"
    whole: Any = get(client, "entries?repository=team/*").json
    assert seen == [item["seq"] for item in whole["items"]]


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_a_limit_bounds_a_whole_answer(client: FlaskClient, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_READ", 3)
    for limit, rows in ((1, 1), (3, 3), (7, 7), (1000, 19)):
        lines = get(client, f"entries.{suffix}?limit={limit}").data.splitlines()
        assert len(lines) - (suffix == "csv") == rows


@pytest.mark.parametrize("listing", LISTINGS, ids=NAMES)
def test_an_etag_spares_an_answer_until_the_ledger_grows(client: FlaskClient, ledger: Ledger, listing: Listing) -> None:
    query = query_of(listing)
    answer = get(client, f"{listing.name}?{query}")
    known = answer.headers["ETag"]
    again = get(client, f"{listing.name}?{query}", **{"If-None-Match": known})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", known)
    assert get(client, f"{listing.name}?{query}", **{"If-None-Match": 'W/"other"'}).status_code == 200
    if listing.is_ledger:
        assert get(client, f"{listing.name}?{query}&limit=2", **{"If-None-Match": known}).status_code == 200
        assert get(client, f"{listing.name}.csv?{query}", **{"If-None-Match": known}).status_code == 200
    ledger.clock.pass_seconds(1)
    ledger.receive(push("prod", "next", 100, instance="another"))
    ledger.receive(SomeEvent(action="pull", digest=digest_of("one"), tag="prod", at=170))
    assert get(client, f"{listing.name}?{query}", **{"If-None-Match": known}).status_code == 200


def test_a_digest_in_json(client: FlaskClient) -> None:
    body: Any = get(client, f"digests/{digest_of('arm')[:18]}").json
    assert body["digest"] == digest_of("arm")
    assert body["held"][0]["reference"] == f"registry.example:5000/team/app@{digest_of('arm')}"
    (index,) = body["indexes"]
    assert (index["platform"], [tag["tag"] for tag in index["tags"]]) == ("linux/arm64", ["2.0", "prod"])
    answer = get(client, f"digests/{digest_of('one')}")
    assert get(client, f"digests/{digest_of('one')}", **{"If-None-Match": answer.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize(
    ("path", "status", "parameter", "sentence"),
    [
        ("entries?repositry=a", 400, "repositry", "did you mean repository?"),
        ("entries?tag=a&tag=b", 400, "tag", "is given 2 times"),
        ("entries?limit=0", 400, "limit", "from 1 to 1000"),
        ("entries?cursor=x", 400, "cursor", "no such cursor"),
        ("entries.csv?since=x", 400, "since", "is not an RFC 3339 time"),
        ("entries?at=2026-04-20T12:00:00Z", 400, "at", "there is no parameter 'at' here"),
        ("tags?at=x", 400, "at", "is not an RFC 3339 time"),
        ("tags?digest=sha256:1", 400, "digest", "there is no parameter"),
        ("registries?limit=1", 400, "limit", "there is no parameter"),
        ("history", 400, "repository", "repository is missing"),
        ("history?repository=team/app", 400, "tag", "tag is missing"),
        ("history?repository=team/*&tag=prod", 400, "repository", "name one repository"),
        ("history.csv?repository=team/app&tag=no", 404, None, "no tag no is recorded"),
        ("entries?digest=sha256:", 400, "digest", "begins several digests"),
        ("digests/sha256:", 400, "digest", "begins several digests"),
        ("digests/%20", 400, "digest", "is not a digest"),
        (f"digests/{digest_of('never')}", 404, None, "is recorded"),
        ("digests/aa?tag=x", 400, "tag", "there is no parameter"),
        ("nothing", 404, None, "not found"),
        ("entries.xml", 404, None, "not found"),
        ("openapi.json?x=1", 400, "x", "there is no parameter"),
    ],
)
def test_a_failure_is_a_problem_that_names_the_parameter(
    client: FlaskClient, path: str, status: int, parameter: str | None, sentence: str
) -> None:
    answer = get(client, path)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    body: Any = answer.json
    assert (body["status"], body.get("parameter")) == (status, parameter)
    assert sentence in body["detail"]
    assert body["title"]


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.delete("/api/v1/entries")
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert "GET" in answer.headers["Allow"]


def test_a_store_that_cannot_be_reached_is_a_503(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    client = make_client(ledger)

    def fail() -> None:
        raise StorageUnavailable("disk /secret/path is gone")

    monkeypatch.setattr(ledger.store, "reader", fail)
    answer = get(client, "entries")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert b"secret" not in answer.data
    monkeypatch.undo()


def test_a_defect_of_ours_shows_nothing_of_itself(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(ledger)
    app.logger.disabled = True

    def fail() -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(ledger.store, "reader", fail)
    answer = app.test_client().get("/api/v1/entries")
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert b"secret" not in answer.data
    monkeypatch.undo()


@pytest.mark.parametrize("path", ["entries", "entries.csv", "entries.ndjson", "tags?x=1", "openapi.json"])
def test_every_answer_is_private_and_never_guessed_at(client: FlaskClient, path: str) -> None:
    answer = get(client, path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] in ("private, no-cache", "no-store")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in answer.headers
    if path.endswith(("csv", "ndjson")):
        assert answer.headers["Content-Disposition"].startswith("attachment; ")


@pytest.mark.parametrize("actor", NASTY)
def test_what_comes_from_outside_does_no_harm(ledger: Ledger, actor: str) -> None:
    ledger.receive(push("prod", "one", 1, actor=actor, agent=actor))
    client = make_client(ledger)
    (item,) = get(client, "entries?kind=push").json["items"]  # type: ignore[index]
    assert (item["actor"], item["who"]["user_agent"]) == (actor, actor)
    assert b"<script" not in get(client, "entries").data or get(client, "entries").mimetype == "application/json"
    (row,) = rows_of(get(client, "entries.csv?kind=push"))
    shown = row["actor"]
    assert shown == (f"'{actor}" if actor.startswith(("=", "+", "-", "@", "\t", "\r")) else actor)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    for path in ("entries", "deployments"):
        assert len(get(client, f"{path}?actor={quote(actor)}").json["items"]) == 1  # type: ignore[index]


def test_a_spreadsheet_keeps_the_tag_1_10(ledger: Ledger) -> None:
    ledger.receive(push("1.10", "one", 1), push("3-1", "two", 2))
    answer = get(make_client(ledger), "tags.csv")
    header = answer.data.decode("utf-8-sig").splitlines()[0]
    assert header.startswith('"image",')
    assert [row["image"] for row in rows_of(answer)] == [
        f"registry.example:5000/team/app:1.10@{digest_of('one')}",
        f"registry.example:5000/team/app:3-1@{digest_of('two')}",
    ]
    assert all(line.startswith('"') and line.endswith('"') for line in answer.data.decode().split("\r\n")[1:-1])


@pytest.mark.parametrize("listing", LISTINGS[:6], ids=NAMES[:6])
def test_the_first_column_of_images_is_the_image(client: FlaskClient, listing: Listing) -> None:
    rows = rows_of(get(client, f"{listing.name}.csv?{query_of(listing)}"))
    assert next(iter(rows[0])) == "image"
    assert any(row["image"].startswith("registry.example:5000/team/app") for row in rows)


def test_a_whole_answer_ends_with_the_line_that_was_newest_when_it_began(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "_READ", 2)
    ledger.receive(*[push("prod", f"{number}", number) for number in range(9)])
    for path in ("entries.ndjson", "deployments.ndjson"):
        answer = make_client(ledger).get(f"/api/v1/{path}", buffered=False)
        chunks: Iterator[Any] = iter(answer.response)
        got = [next(chunks)]
        ledger.receive(push("prod", f"late {path}", 5.5), push("prod", f"new {path}", 100 + len(path)))
        got += list(chunks)
        digests = [json.loads(line).get("digest") for line in b"".join(got).splitlines()]
        assert digest_of(f"late {path}") not in digests
        assert digest_of(f"new {path}") not in digests
        assert len(digests) == len(set(digests)) >= 9


def test_no_read_transaction_outlasts_a_page_of_a_whole_answer(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_READ", 2)
    ledger.receive(*[push("prod", f"{number}", number) for number in range(9)])
    answer = make_client(ledger).get("/api/v1/entries.csv", buffered=False)
    chunks = 0
    for _ in answer.response:
        assert not ledger.store.reader().in_transaction
        chunks += 1
    assert chunks > 4


def test_a_whole_answer_takes_constant_memory(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_READ", 50)
    events = [push("prod", f"{number}", number / 10, agent="x" * 500) for number in range(2_000)]
    for start in range(0, len(events), 500):
        ledger.receive_body(envelope(*events[start : start + 500]))
    client = make_client(ledger)
    for path in ("entries.csv", "entries.ndjson"):
        size = sum(map(len, client.get(f"/api/v1/{path}", buffered=False).response))  # and warm up
        tracemalloc.start()
        for _ in client.get(f"/api/v1/{path}", buffered=False).response:
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < size / 3


def test_many_threads_ask_while_one_writes(ledger: Ledger) -> None:
    ledger.receive(push("prod", "start", 0))
    app = make_app(ledger)
    failures: list[object] = []

    def ask() -> None:
        client = app.test_client()
        for _ in range(20):
            for path in ("entries?limit=3", "environments", "tags.csv", "digests/" + digest_of("start")):
                answer = client.get(f"/api/v1/{path}")
                if answer.status_code != 200:
                    failures.append(answer.data)
        ledger.store.reader().close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(40):
        ledger.receive(push("prod", f"{number}", number + 1))
    for thread in threads:
        thread.join()
    assert failures == []
