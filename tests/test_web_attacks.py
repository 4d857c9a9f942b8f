"""What somebody would try on the pages: strangers, other sites, readers who may not know people, whoever pushes."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tagtrail.config.secrets import session_key
from tagtrail.ledger.annotate import Annotation, annotate
from tagtrail.ledger.record import Recorder
from tagtrail.server.limits import ServerLimits
from tagtrail.store.database import Store
from tagtrail.store.lines import Received
from tests.application import GUARDED, INGEST, OPEN, READER, SEER, open_application
from tests.conftest import Clock, Ledger
from tests.events import digest_of, push
from tests.pages import ask, shown, sign_in

MOVED = ((1, "1.0.0", "one"), (2, "prod", "one"), (3, "prod", "two"))
PLACES = (
    "/", "/log", "/deployments", "/deployments/4/production", "/compare?from=2026-04-20", "/registries/main/team/app",
    "/registries/main/team/app:prod", "/violations", f"/digests/{digest_of('one')}", "/quarantine", "/messages",
)  # fmt: skip
LAST_INSTANT = "2262-04-11T23:47:16.854775806Z"


@pytest.fixture
def client(ledger: Ledger, tmp_path: Path) -> FlaskClient:
    """The whole application, with a tag that moved."""
    client = open_application(ledger, tmp_path, GUARDED, starts=True)
    ledger.receive(*(push(tag, content, at, actor="ann") for at, tag, content in MOVED))
    return client


# Strangers


@pytest.mark.parametrize("address", [f"/log/{'9' * 5_000}", f"/deployments/{'9' * 5_000}/production"])
def test_a_number_longer_than_any_is_no_defect_of_ours(client: FlaskClient, address: str) -> None:
    assert ask(client, address).status == 404
    sign_in(client, READER)
    assert ask(client, address).status == 404


def test_nobody_fills_the_disk_by_a_form(client: FlaskClient) -> None:
    form = ask(client, "/sign-in")
    sent = {"csrf_token": form.csrf, "token": READER, "file": (BytesIO(b"x" * 80_000), "a-file")}
    answer = shown(client.post("/sign-in", data=sent, content_type="multipart/form-data"))
    assert answer.status == 413
    assert ask(client, "/").status == 303


def test_a_stranger_does_not_learn_the_version(client: FlaskClient) -> None:
    for address in ("/sign-in", "/no/such/page"):
        assert "tagtrail 0." not in ask(client, address).text
    sign_in(client, READER)
    assert "tagtrail 0." in ask(client, "/").text


def test_no_page_is_answered_by_a_thread_that_accepts(client: FlaskClient) -> None:
    pages = [rule for rule in client.application.url_map.iter_rules() if rule.endpoint.startswith("web.")]
    lines = {f"{method} {rule.rule}".encode() for rule in pages for method in rule.methods or ()}
    assert len(lines) > 50
    assert [line for line in lines if line.startswith(ServerLimits().prompt)] == []
    for address in ("/healthz-x", "/readyz/x"):
        assert ask(client, address).headers["Content-Type"] == "application/problem+json", "nothing is rendered there"


def test_what_fails_unforeseen_shows_nothing_of_itself_and_logs_nothing_that_was_asked(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of ours")

    sign_in(client, READER)
    monkeypatch.setattr("tagtrail.web.pages.search.find_hits", fail)
    page = ask(client, "/search?q=a-secret-of-theirs")
    assert (page.status, page.headers["Cache-Control"]) == (500, "no-store")
    assert "Content-Security-Policy" in page.headers
    assert "secret" not in page.html
    assert "a secret of ours" in caplog.text
    assert "a-secret-of-theirs" not in caplog.text


def test_processes_that_start_at_once_sign_with_one_key_that_others_cannot_read(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(session_key, [tmp_path / "data"] * 8))
    assert len(keys) == 1
    assert [(file.name, file.stat().st_mode & 0o777) for file in (tmp_path / "data").iterdir()] == [
        ("session-key", 0o600)
    ]


# Other sites


def test_the_first_start_is_never_kept_and_never_told_to_another_name(ledger: Ledger, tmp_path: Path) -> None:
    client = open_application(ledger, tmp_path, starts=True)
    page = ask(client, "/")
    assert f"Bearer {INGEST}" in page.html
    assert page.headers["Cache-Control"] == "no-store"
    for host in ("evil.example", "evil.example:8080", "localhost.evil.example", "0.0.0.0:8080", "2130706433"):
        page = ask(client, "/", headers={"Host": host})
        assert page.status == 403, host
        assert INGEST not in page.html
    framed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}
    assert INGEST not in ask(client, "/", headers=framed).html
    ledger.receive(push(None, "one", 1))
    assert ask(client, "/").headers["Cache-Control"] == "private, no-cache"


def test_a_page_that_a_browser_has_is_sent_again_once_its_forms_are_of_another_session(client: FlaskClient) -> None:
    sign_in(client, READER)
    before = ask(client, "/violations")
    assert ask(client, "/violations", headers={"If-None-Match": before.headers["ETag"]}).status == 304
    client.post("/sign-out", data={"csrf_token": before.csrf})
    sign_in(client, READER)
    after = ask(client, "/violations", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status == 200, "the form in the old one would be refused"
    assert client.post("/sign-out", data={"csrf_token": after.csrf}).status_code == 303


def test_over_https_no_other_host_of_the_domain_can_plant_a_session(ledger: Ledger, tmp_path: Path) -> None:
    client = open_application(ledger, tmp_path, OPEN + "public_url: https://tagtrail.example\n", starts=True)
    cookie = ask(client, "/sign-in").headers["Set-Cookie"]
    assert cookie.startswith("__Host-tagtrail=")
    assert ("Secure" in cookie, "Path=/;" in f"{cookie};", "Domain" in cookie) == (True, True, False)


def test_signing_out_leaves_nothing_in_the_browser(client: FlaskClient) -> None:
    sign_in(client, SEER)
    answer = shown(client.post("/sign-out", data={"csrf_token": ask(client, "/").csrf}))
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert "Expires=Thu, 01 Jan 1970" in answer.headers["Set-Cookie"]


def test_a_page_of_the_same_site_but_another_origin_does_not_ask_either(client: FlaskClient) -> None:
    sign_in(client, SEER)
    image = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"}
    assert ask(client, "/log", headers=image).status == 403
    assert ask(client, "/log", headers=image | {"Sec-Fetch-Dest": "document"}).status == 200


@pytest.mark.parametrize("address", ["/registries//main", "/log//1", "//", "/registries/main//"])
def test_nobody_is_led_to_where_the_host_header_says(client: FlaskClient, address: str) -> None:
    answer = client.get("/", headers={"Host": "evil.example"}, environ_overrides={"PATH_INFO": address})
    assert "evil.example" not in answer.headers.get("Location", "")


def test_what_is_downloaded_by_a_session_is_embedded_nowhere(client: FlaskClient) -> None:
    sign_in(client, READER)
    for address in ("/", "/api/v1/entries.csv", "/api/v1/tags", "/log/checkpoint"):
        assert client.get(address).headers["Cross-Origin-Resource-Policy"] == "same-origin", address


# Readers


def test_reading_the_hashes_of_what_was_quarantined_is_recorded_as_at_the_api(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.receive_body(b"nonsense")
    sign_in(client, READER)
    assert "SHA-256" not in ask(client, "/quarantine").text
    sign_in(client, SEER)
    assert "SHA-256" in ask(client, "/quarantine").text
    assert ledger.rows("SELECT count(*) FROM entries WHERE kind = 'exported'") == [(1,)]


def test_for_a_reader_every_page_is_the_same_whoever_did_it(tmp_path: Path) -> None:
    """Not a byte more or less, and so neither the size of an answer nor its entity tag tells anything."""
    short = read_all(tmp_path / "short", actor="ann", agent="a", address="192.0.2.1:1")
    assert read_all(tmp_path / "long", actor="somebody else", agent="b" * 300, address="2001:db8::77") == short
    assert len(short) > 10


def read_all(directory: Path, **who: str) -> dict[str, str]:
    """What a reader sees of a ledger whose every event is by the same person; a line's page has random salts."""
    store, clock = Store(directory / "data"), Clock()
    store.prepare()
    ledger = Ledger(store, Recorder(store, clock=clock), clock)
    client = open_application(ledger, directory, GUARDED, starts=True)
    ledger.receive(
        *(push(tag, content, at, id=f"id-{at}", **who) for at, tag, content in (*MOVED, (4, "1.0.0", "two")))
    )
    annotate(store, ledger.recorder, 5, Annotation("note", note=who["agent"], actor=who["actor"]), key="key")
    sign_in(client, READER)
    seen = {address: ask(client, address) for address in (*PLACES, "/log/5")}
    store.close()
    assert {page.status for page in seen.values()} == {200}
    secrets = re.compile(r'name="csrf_token" value="[^"]+"|data-tag=\S+')
    told = {address: secrets.sub("", page.html) for address, page in seen.items()}
    return told | {"/log/5": str(len(told["/log/5"]))}


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"/registries/main/team/app:prod?at={LAST_INSTANT}", 200),
        ("/registries/main/team/app:prod?at=2262-04-11T23:47:16.854775807Z", 400),
        (f"/registries/main/team/app?since=1970-01-01T00:00:00Z&until={LAST_INSTANT}", 200),
        ("/registries/main/team/app?until=1970-01-01T00:00:00Z", 400),
        ("/registries/main/team/app?since=1970-01-01T00:00:00Z&until=1970-01-01T00:00:00.000000001Z", 200),
        (f"/registries/main/team/app?since={LAST_INSTANT}", 400),
        ("/registries/main/team/app?lanes=999999&tags=999999", 200),
        ("/registries/main/team/app?lanes=9999999", 400),
        (f"/compare?from=1970-01-01T00:00:00Z&until={LAST_INSTANT}", 200),
        (f"/compare?from={LAST_INSTANT}", 400),
        ("/compare?until=1970-01-01T00:00:00Z", 200),
        (f"/log?since={LAST_INSTANT}", 200),
        (f"/log?until={LAST_INSTANT}", 200),
        (f"/deployments?until={LAST_INSTANT}", 200),
        (f"/violations?until={LAST_INSTANT}", 200),
        (f"/quarantine?until={LAST_INSTANT}", 200),
        (f"/messages?until={LAST_INSTANT}", 200),
        ("/log/9223372036854775807", 404),
        ("/log/9223372036854775808", 404),
        ("/deployments/9223372036854775808/production", 404),
        ("/log?cursor=Wy05MjIzMzcyMDM2ODU0Nzc1ODA4XQ", 200),  # [-9223372036854775808]
        ("/log?cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDdd", 200),  # [9223372036854775807]
        ("/?cursor=WyJcdTAwMDAiLCJcdTAwMDAiXQ", 200),  # ["\u0000","\u0000"]
        ("/registries/main?cursor=WyJ6IiwieiJd", 200),
        ("/search?q=%25%25%25", 200),
        ("/search?q=%00", 200),
        ("/search?q=%ff%fe", 200),
        ("/search?q=%ED%A0%80", 200),
        (f"/search?q={'%25a' * 2_000}", 200),
        (f"/search?q={'9' * 5_000}", 200),
        ("/search?q=" + "a/" * 3_000, 200),
        (f"/digests/{'a' * 5_000}", 400),
        ("/digests/sha256:", 400),
        (f"/log?repository={'*a' * 200}", 200),
        (f"/log?repository={'[a-z]*' * 80}", 200),
        (f"/{'?x=' * 500}", 400),
        ("/messages/%00", 404),
        ("/registries/%ff%fe", 404),
        ("/registries/%00", 404),
        ("/registries/main/team/../app", 400),
        ("/registries/main/a/b:c:d", 404),
        ("/registries/main/team%2Fapp%3Aprod", 200),
        ("/registries/main/" + "a/" * 3_000, 400),
        ("/registries/main/team/app:" + "a" * 5_000, 400),
        ("/registries/main/team/app:prod:1", 404),
        ("/log/\u0661", 200),
    ],
    ids=lambda value: str(value)[:60],
)
def test_nothing_that_can_be_asked_is_a_defect_of_ours(client: FlaskClient, address: str, status: int) -> None:
    sign_in(client, READER)
    page = ask(client, address)
    assert page.status == status, page.text[:500]
    assert page.html.startswith("<!doctype html>") or page.status == 303


# Whoever pushes


@pytest.mark.parametrize(
    "odd",
    [
        "9" * 4_000,
        "1e999",
        "-1E+999",
        '"\\ud800"',
        '"\\u202e\\u2028 \\u0000"',
        "[" * 900 + "]" * 900,
        "[" * 3_000 + "]" * 3_000,
        '{"a":' * 900 + "1" + "}" * 900,
        "[" * 50_000,
        '"' + "\\u0041" * 20_000 + '"',
    ],
    ids=lambda odd: odd[:16],
)
def test_an_odd_event_is_shown_as_it_was_received(client: FlaskClient, ledger: Ledger, odd: str) -> None:
    event = json.dumps(push("prod", "odd", 9, agent="the agent").as_dict())
    ledger.receive_body(f'{{"events": [{event[:-1]}, "odd": {odd}}}]}}'.encode())
    ((seq,),) = ledger.rows("SELECT max(seq) FROM lines")
    sign_in(client, SEER)
    page = ask(client, f"/log/{seq}")
    assert page.status == 200, page.text
    assert "as received" in page.text
    assert "\u202e" not in page.html


def test_a_registry_of_which_nothing_is_understood_makes_no_page_slow(
    client: FlaskClient, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        ledger.receive_body(f"nonsense {number}".encode())
    monkeypatch.setattr("tagtrail.store.registries.MOST_QUARANTINED", 3)
    monkeypatch.setattr("tagtrail.web.wiring.MOST_QUARANTINED", 3)
    sign_in(client, READER)
    for address in ("/", "/registries", "/registries/main"):
        assert "3 or more" in ask(client, address).text, address
    plan = ledger.rows("EXPLAIN QUERY PLAN SELECT 1 FROM quarantine WHERE registry = 'main' LIMIT 3")
    assert "COVERING INDEX quarantine_by_registry" in plan[0][3]


def test_an_event_nested_too_deeply_to_be_laid_out_is_shown_as_it_is() -> None:
    raw = b"[" * 5_000 + b"]" * 5_000
    assert Received(raw, len(raw)).text == raw.decode()


@pytest.mark.parametrize(
    "host", ["a.example;rm -rf ~", "$(reboot).example", "a.example\nreboot", "a.example\u202e", "-oProxy=x.y", "`id`.x"]
)
def test_a_command_that_is_copied_is_what_it_shows(ledger: Ledger, tmp_path: Path, host: str) -> None:
    client = open_application(
        ledger, tmp_path, f"registries: [{{name: main, tokens: [{{value: {INGEST}}}]}}]\n", starts=True
    )
    ledger.receive(*(push(tag, content, at, host=host) for at, tag, content in MOVED))
    for address in ("/", "/registries/main/team/app:prod", "/registries/main/team/app"):
        page = ask(client, address)
        assert page.status == 200
        assert not re.search(r"rm -rf|reboot|`id`|-oProxy|\u202e", page.html), address
    ledger.receive(*(push(tag, content, at + 10, host="a.example") for at, tag, content in MOVED))
    page = ask(client, "/registries/main/team/app:prod")
    shown_and_copied = re.findall(r'data-copy="([^"]*)" data-what="command"[^>]*><code>([^<]*)</code>', page.html)
    assert len(shown_and_copied) == 3
    assert all(shown == copied for copied, shown in shown_and_copied)
