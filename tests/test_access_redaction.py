"""Without the scope `identity` nobody is named anywhere; with it, each reading becomes a line."""

import io
import json
import zipfile
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tagtrail.access.callers import Authenticator
from tagtrail.access.disclosures import HOUR
from tagtrail.access.redaction import IDENTITY_FIELDS, redact
from tagtrail.access.scopes import Proxy, Scope
from tagtrail.api.listings import LISTINGS
from tagtrail.api.openapi import describe_api
from tagtrail.errors import StorageUnavailable
from tagtrail.line import Who
from tagtrail.store.digests import IndexUse, RecordedDigest, TagUse
from tagtrail.store.leases import claim, end_attempt
from tagtrail.store.outbox import Attempt
from tagtrail.trail.instant import DAY, Instant
from tests.api_client import RULES, bearer, make_client, tell
from tests.conftest import Ledger
from tests.events import SomeEvent, digest_of, push
from tests.test_access_callers import configured

# Each is what only an identity can be: if it stands in an answer, somebody was named.
ACTOR, ADDRESS, AGENT, NOTE = "=mallory\u202e\x1b[31m<b>", "198.51.100.77", "spy-agent/9", "told by Mallory herself"
TRACES = (ACTOR, "mallory", ADDRESS, AGENT, NOTE)
SECRETS: dict[str, tuple[Scope, ...]] = {
    "plain": ("read", "export"),
    "deployer": ("read", "export", "deploy"),
    "seer": ("read", "identity"),
    "all": ("read", "identity", "deploy"),
}
NEEDED = {
    "/history": {"repository": "team/app", "tag": "prod"},
    "/history.<any(json, csv, ndjson):suffix>": {"repository": "team/app", "tag": "prod"},
}
DECLARED = {"environment": "staging", "reference": "team/app:prod", "actor": "mallory", "note": NOTE}


def access(ledger: Ledger, **more: Any) -> Authenticator:
    return Authenticator(configured=[configured(token, *scopes) for token, scopes in SECRETS.items()], **more)


@pytest.fixture
def client(ledger: Ledger) -> FlaskClient:
    """An API over a ledger in which everything was done by Mallory."""
    tell(ledger)
    ledger.put_in_force(RULES)
    mallory: dict[str, Any] = {"actor": ACTOR, "address": f"{ADDRESS}:4000", "agent": AGENT}
    ledger.receive(
        push("1.0.0", "one", 1, **mallory),
        push("prod", "one", 2, **mallory),
        push("1.0.0", "two", 3, **mallory),
        push("prod", "two", 4, **mallory),
        SomeEvent(action="pull", tag="prod", digest=digest_of("two"), at=5, **mallory),
        SomeEvent(action="push", tag="prod", digest="no digest", at=6, **mallory),
    )
    let_one_fail(ledger, detail=f"cannot post: pushed by {ACTOR}")
    client = make_client(ledger, access(ledger))
    said = {"environment": "production", "reference": "team/app:prod", "actor": "mallory", "note": NOTE}
    assert client.post("/api/v1/deployments", json=said, headers=bearer("deployer")).status_code == 201
    return client


def let_one_fail(ledger: Ledger, *, detail: str) -> None:
    """A delivery that a chat server refused, and that said why."""
    at = ledger.clock() + DAY
    with ledger.store.writing() as tx:
        claimed = claim(tx, "ops", now=at, lease_until=at, burst=10)
        assert claimed is not None
        end_attempt(tx, Attempt(claimed.id, 1, at, "failed", detail, 400))


def walk(client: FlaskClient, token: str) -> Iterator[tuple[str, TestResponse]]:
    """Every route of the application, in every format."""
    newest = client.get("/api/v1/deliveries?state=failed", headers=bearer(token)).json
    values = {"digest": digest_of("two"), "seq": 1, "id": newest["items"][0]["id"]}  # type: ignore[index]
    for rule in client.application.url_map.iter_rules():
        if "GET" not in (rule.methods or ()):
            continue
        suffixes = ("json", "csv", "ndjson") if "suffix" in rule.arguments else (None,)
        for suffix in suffixes:
            filled = {name: suffix if name == "suffix" else values[name] for name in rule.arguments}
            query = NEEDED.get(rule.rule.removeprefix("/api/v1"), {})
            url = client.application.url_map.bind("localhost").build(rule.endpoint, filled | query)
            yield url, client.get(url, headers=bearer(token))


def text_of(answer: TestResponse) -> str:
    """All of an answer, its headers too, with what JSON escapes as it would be read."""
    if answer.mimetype == "application/zip":
        with zipfile.ZipFile(io.BytesIO(answer.data)) as bundle:
            return "\n".join(bundle.read(name).decode() for name in bundle.namelist())
    body = answer.get_data(as_text=True)
    decoded = json.dumps(json.loads(body), ensure_ascii=False) if answer.mimetype == "application/json" else body
    return f"{answer.headers}\n{body}\n{decoded}"


@pytest.mark.parametrize("token", ["plain", "deployer"])
def test_no_route_tells_who_it_was_to_whoever_may_not_see_it(client: FlaskClient, token: str) -> None:
    walked = list(walk(client, token))
    assert len(walked) >= 4 * len(LISTINGS)
    for url, answer in walked:
        assert answer.status_code == 200, url
        text = text_of(answer)
        assert [trace for trace in TRACES if trace in text] == [], url


def test_the_same_routes_tell_whoever_may_see_it(client: FlaskClient) -> None:
    telling = {url for url, answer in walk(client, "seer") if "mallory" in text_of(answer)}
    lists = {"entries", "tags", "history", "deployments", "environments", "violations"}
    told = {url.removeprefix("/api/v1/").partition("?")[0].partition("/")[0] for url in telling}
    assert {f"{name}{suffix}" for name in lists for suffix in ("", ".json", ".csv")} | {"digests"} | {
        "deliveries"
    } <= told
    assert "entries.ndjson" not in told, "lines hold nothing of people"


def test_no_guess_at_what_was_quarantined_can_be_tried(client: FlaskClient, ledger: Ledger) -> None:
    """Its hash has no salt: whoever knows the rest of an event could find the actor by it."""
    [(content,)] = ledger.rows("SELECT content FROM quarantine")
    for suffix in ("", ".csv", ".ndjson"):
        answers = [client.get(f"/api/v1/quarantine{suffix}", headers=bearer(token)).text for token in ("plain", "seer")]
        assert [content.hex() in text for text in answers] == [False, True]


def test_csv_leaves_the_columns_out_and_json_shows_null(client: FlaskClient) -> None:
    head = client.get("/api/v1/entries.csv", headers=bearer("plain")).text.splitlines()[0]
    full = client.get("/api/v1/entries.csv", headers=bearer("seer")).text.splitlines()[0]
    names, all_names = (line.lstrip("\ufeff").strip('"').split('","') for line in (head, full))
    assert names == [name for name in all_names if name not in IDENTITY_FIELDS]
    assert set(all_names) - set(names) == {"actor", "address", "user_agent"}
    rows = client.get("/api/v1/entries.csv", headers=bearer("plain")).text.splitlines()[1:]
    assert {len(row.split('","')) for row in rows} == {len(names)}
    for item in client.get("/api/v1/entries", headers=bearer("plain")).json["items"]:  # type: ignore[index]
        assert (item["actor"], item["who"]) == (None, None)


@pytest.mark.parametrize("name", ["entries", "entries.ndjson", "deployments.csv", "violations"])
def test_asking_for_an_actor_takes_the_scope(client: FlaskClient, name: str) -> None:
    assert client.get(f"/api/v1/{name}?actor=mallory", headers=bearer("plain")).status_code == 403
    assert client.get(f"/api/v1/{name}?actor=mallory", headers=bearer("seer")).status_code == 200


def test_a_declared_deployment_is_answered_without_names_too(client: FlaskClient, ledger: Ledger) -> None:
    answer = client.post("/api/v1/deployments", json=DECLARED, headers=bearer("deployer"))
    assert answer.status_code == 201
    assert [trace for trace in TRACES if trace in answer.text] == []
    answer = client.post("/api/v1/deployments", json=DECLARED, headers=bearer("all"))
    assert answer.json["deployment"]["note"] == NOTE  # type: ignore[index]


def test_the_line_of_a_declared_deployment_names_its_token(client: FlaskClient, ledger: Ledger) -> None:
    [line] = [json.loads(line) for (line,) in ledger.rows("SELECT line FROM lines WHERE line LIKE '%\"deployment\"%'")]
    assert line["token"] == "access.read[0]"


def test_etags_differ_between_those_who_see_and_those_who_do_not(client: FlaskClient) -> None:
    for path in ("entries", "tags.csv", f"digests/{digest_of('two')}"):
        client.get(f"/api/v1/{path}", headers=bearer("seer"))  # its reading is a line
        plain, seer = (client.get(f"/api/v1/{path}", headers=bearer(token)) for token in ("plain", "seer"))
        assert plain.headers["ETag"] != seer.headers["ETag"]
        again = {"If-None-Match": seer.headers["ETag"]}
        assert client.get(f"/api/v1/{path}", headers=bearer("seer") | again).status_code == 304
        assert client.get(f"/api/v1/{path}", headers=bearer("plain") | again).status_code == 200


def test_every_list_whose_documents_tell_of_people_is_known_to(ledger: Ledger) -> None:
    """By the description of the documents, which is made without asking the lists."""
    schemas = describe_api()["components"]["schemas"]

    def names_in(name: str) -> set[str]:
        text = json.dumps(schemas[name])
        inner = [other for other in schemas if other != name and f'schemas/{other}"' in text]
        return set(schemas[name].get("properties", {})).union(*(names_in(other) for other in inner))

    for listing in LISTINGS:
        assert listing.shows_identities == bool(names_in(listing.struct.__name__) & IDENTITY_FIELDS), listing.name


def test_concealing_reaches_every_depth() -> None:
    naming = TagUse("r", "a/b", "t", False, "ref", None, Instant(1), None, None, "mallory", 1)
    usage = IndexUse("d", None, (naming,), (), True)
    digest = RecordedDigest("d", (), (naming,), (), (usage,), (), True)
    shown = redact((digest, [Who("mallory", "address", "agent")], {"raw": "mallory", "kept": {"note": "mallory"}}))
    assert "mallory" not in repr(shown)
    assert shown[0].tags[0].tag == "t"
    assert digest.tags[0].actor == "mallory"


# The lines that tell of readings


def readings(ledger: Ledger) -> list[dict[str, Any]]:
    """The lines of kind `exported`, each with what it discloses."""
    rows = ledger.rows("SELECT line, who, raw FROM lines JOIN disclosures USING (seq) WHERE who NOTNULL ORDER BY seq")
    found = [(json.loads(line), line, json.loads(who)[2], json.loads(raw)[2]) for line, who, raw in rows]
    return [
        line | {"bytes": text, "who": who, "raw": raw} for line, text, who, raw in found if line["kind"] == "exported"
    ]


def test_who_sees_identities_is_recorded_beside_the_line(client: FlaskClient, ledger: Ledger) -> None:
    headers = bearer("seer") | {"User-Agent": "curl/8"}
    assert client.get("/api/v1/entries.csv?actor=mallory", headers=headers).status_code == 200
    [line] = readings(ledger)
    assert (line["token"], line["format"]) == ("access.read[0]", "csv")
    assert line["raw"] == {"path": "/api/v1/entries.csv", "query": "actor=mallory"}
    assert line["who"] == {"actor": "", "address": "127.0.0.1", "user_agent": "curl/8"}
    assert not [text for text in (b"mallory", b"curl", b"127.0.0.1", b"entries.csv") if text in line["bytes"]]


def test_a_proxys_user_is_named_in_the_disclosure_only(ledger: Ledger) -> None:
    proxy = Proxy((ip_network("10.0.0.7"),), "Remote-User", everyone=("read", "identity"))
    client = make_client(ledger, Authenticator(proxy=proxy))
    client.get(
        "/api/v1/tags",
        headers={"Remote-User": "Änn".encode().decode("latin-1")},
        environ_base={"REMOTE_ADDR": "10.0.0.7"},
    )
    [line] = readings(ledger)
    assert "token" not in line
    assert line["who"]["actor"] == "Änn"
    assert "Änn".encode() not in line["bytes"]


@pytest.mark.parametrize(
    ("token", "path"),
    [
        ("plain", "entries"), ("plain", "entries.csv"), ("seer", "entries.ndjson"), ("seer", "traffic"),
        ("seer", "registries"), ("seer", "openapi.json"), ("seer", "entries?sinc=1"), ("seer", "digests/sha256:00"),
    ],
)  # fmt: skip
def test_what_tells_of_nobody_is_not_recorded(client: FlaskClient, ledger: Ledger, token: str, path: str) -> None:
    client.get(f"/api/v1/{path}", headers=bearer(token))
    assert readings(ledger) == []


def test_lines_chosen_by_an_actor_tell_who_it_was_and_are_recorded(client: FlaskClient, ledger: Ledger) -> None:
    client.get("/api/v1/entries.ndjson?actor=mallory", headers=bearer("seer"))
    assert [line["format"] for line in readings(ledger)] == ["ndjson"]


def test_with_open_access_there_is_nobody_to_name(client: FlaskClient, ledger: Ledger) -> None:
    assert "mallory" in make_client(ledger).get("/api/v1/entries").text
    assert readings(ledger) == []


def test_the_same_question_of_the_same_caller_is_recorded_once_an_hour(client: FlaskClient, ledger: Ledger) -> None:
    def ask(path: str, token: str) -> int:
        assert client.get(f"/api/v1/{path}", headers=bearer(token)).status_code == 200
        return len(readings(ledger))

    assert [ask("tags", "seer"), ask("tags", "seer"), ask("tags?limit=1", "seer")] == [1, 1, 2]
    ledger.clock.pass_seconds(HOUR / 10**9 - 1)
    assert ask("tags", "seer") == 2
    ledger.clock.pass_seconds(2)
    assert ask("tags", "seer") == 3


def test_an_unchanged_answer_is_not_recorded(client: FlaskClient, ledger: Ledger) -> None:
    client.get("/api/v1/tags", headers=bearer("seer"))
    tag = client.get("/api/v1/tags", headers=bearer("seer")).headers["ETag"]
    ledger.clock.pass_seconds(2 * HOUR / 10**9)
    assert client.get("/api/v1/tags", headers=bearer("seer") | {"If-None-Match": tag}).status_code == 304
    assert len(readings(ledger)) == 1


@pytest.mark.parametrize("path", ["tags", "entries.csv", f"digests/{digest_of('two')}"])
def test_what_cannot_be_recorded_is_not_shown(
    client: FlaskClient, ledger: Ledger, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(ledger.recorder, "record", fail)
    answer = client.get(f"/api/v1/{path}", headers=bearer("seer"))
    assert answer.status_code == 503
    assert "mallory" not in answer.text
    assert client.get(f"/api/v1/{path}", headers=bearer("plain")).status_code == 200
