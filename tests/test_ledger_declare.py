"""A pipeline declares a deployment, and the trail holds its word against what it knows."""

import hashlib
import json
import threading
from ipaddress import ip_network
from typing import Any

import pytest
from flask.testing import FlaskClient

from tagtrail.access.callers import Authenticator
from tagtrail.access.scopes import Proxy
from tagtrail.errors import BadParameter, Refused
from tagtrail.ledger.declare import LONGEST, Declaration, Declared, Origin, declare
from tagtrail.line import disclosed_value
from tagtrail.trail.rules import RegistryIdentity, Rules
from tests.api_client import RULES, make_client, story
from tests.conftest import Ledger
from tests.events import delete_tag, digest_of, envelope, push

GOOD = {"environment": "production", "reference": "team/app:prod"}


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    """The ledger after the story."""
    ledger.put_in_force(RULES)
    ledger.receive_body(envelope(*story()))
    return ledger


def said(
    ledger: Ledger, reference: str, environment: str = "production", *, key: str | None = None, **more: Any
) -> Declared:
    """Declare a deployment."""
    return declare(
        ledger.store,
        ledger.recorder,
        Declaration(environment=environment, reference=reference, **more),
        key=key,
        origin=Origin("192.0.2.9", "curl/8"),
    )


def line_of(ledger: Ledger, seq: int) -> dict[str, Any]:
    """The line, decoded."""
    ((line,),) = ledger.rows("SELECT line FROM lines WHERE seq = ?", seq)
    document: dict[str, Any] = json.loads(line)
    return document


def post(client: FlaskClient, key: str | None = None, **body: Any) -> Any:
    """POST a deployment."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/api/v1/deployments", json=body, headers=headers)


def test_a_tag_stands_for_the_digest_that_it_points_at_now(told: Ledger) -> None:
    declared = said(told, "team/app:2.0", actor="jenkins", change="OPS-7", note="after lunch")
    line = line_of(told, declared.seq)
    assert (line["kind"], line["environment"], line["change"]) == ("deployment", "production", "OPS-7")
    assert (line["repository"], line["tag"], line["digest"]) == ("team/app", "2.0", digest_of("index"))
    assert (line["registry"], line["host"], line["actor_assurance"]) == ("main", "registry.example:5000", "claimed")
    assert "after lunch" not in json.dumps(line)
    assert "jenkins" not in json.dumps(line)
    ((who, raw),) = told.rows("SELECT who, raw FROM disclosures WHERE seq = ?", declared.seq)
    assert json.loads(disclosed_value(who)) == {
        "actor": "jenkins", "address": "192.0.2.9", "user_agent": "curl/8"
    }  # fmt: skip
    assert json.loads(disclosed_value(raw))["note"] == "after lunch"


def test_a_digest_that_the_tag_had_before_may_be_declared(told: Ledger) -> None:
    declared = said(told, f"registry.example:5000/team/app:prod@{digest_of('two')}")
    line = line_of(told, declared.seq)
    assert (line["digest"], line["actor_assurance"]) == (digest_of("two"), "absent")
    assert "change" not in line


def test_a_digest_alone_may_be_declared(told: Ledger) -> None:
    declared = said(told, f"mirror.example/team/app@{digest_of('arm')}")
    line = line_of(told, declared.seq)
    assert "tag" not in line
    assert line["digest"] == digest_of("arm")


@pytest.mark.parametrize(
    ("reference", "environment", "knows"),
    [
        ("team/app:9.9", "production", ["knows no tag 9.9", "prod", "2.0"]),
        ("team/ap:prod", "production", ["knows no repository team/ap", "team/app"]),
        ("team/app:1.1.0", "production", ["was deleted", digest_of("two")]),
        (f"team/app:prod@{digest_of('three')}", "production", [digest_of("index"), "before that", digest_of("one")]),
        (f"team/app@{digest_of('never')}", "production", ["knows no push of"]),
        (f"team/web@{digest_of('one')}", "production", ["knows no push of"]),
        ("team/app:prod", "prodution", ["is no environment of team/app", "production, staging"]),
        ("team/app:prod", "lab", ["is no environment of team/app", "production, staging"]),
        ("other.example/team/app:prod", "production", ["other.example", "mirror.example, registry.example:5000"]),
    ],
)
def test_what_contradicts_the_trail_is_refused_with_what_it_knows(
    told: Ledger, reference: str, environment: str, knows: list[str]
) -> None:
    ((before,),) = told.rows("SELECT count(*) FROM lines")
    with pytest.raises(Refused) as failure:
        said(told, reference, environment)
    assert all(word in str(failure.value) for word in knows), str(failure.value)
    assert told.rows("SELECT count(*) FROM lines") == [(before,)]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("reference", "team/app"),
        ("reference", "Team/App:1"),
        ("reference", "team/app:prod@sha256:12"),
        ("reference", ""),
        *((name, "x" * (longest + 1)) for name, longest in LONGEST.items()),
        *((name, "line\nfeed") for name in LONGEST),
        ("actor", "\x1b[31mred"),
        ("note", "\u202egnp"),
    ],
)
def test_what_cannot_be_read_is_named(told: Ledger, field: str, text: str) -> None:
    values = {"environment": "production", "reference": "team/app:prod", field: text}
    with pytest.raises(BadParameter) as failure:
        declare(told.store, told.recorder, Declaration(**values))
    assert failure.value.parameter == field


def test_an_environment_counts_only_where_the_rules_put_it(told: Ledger) -> None:
    said(told, "team/web:staging", "staging")
    told.receive(push("1.0", "again", 70, repository="lab/x"))
    said(told, "lab/x:1.0", "lab")
    with pytest.raises(Refused, match="lab is no environment of team/web"):
        said(told, "team/web:staging", "lab")


def test_of_several_registries_one_must_be_named(told: Ledger) -> None:
    from tagtrail.access.tokens import Sender

    rules = Rules(registries=(*RULES.registries, RegistryIdentity("other", "other.example")))
    told.put_in_force(rules)
    other = Ledger(told.store, told.recorder, told.clock, Sender("other", authenticates=False))
    other.receive(push("prod", "elsewhere", 5, host="other.example", instance="x"))
    with pytest.raises(Refused, match="is in several registries, main, other"):
        said(told, "team/app:prod")
    for more, reference in (({"registry": "other"}, "team/app:prod"), ({}, "other.example/team/app:prod")):
        assert line_of(told, said(told, reference, **more).seq)["registry"] == "other"
    with pytest.raises(Refused, match="there is no registry third; there is main"):
        said(told, "team/app:prod", registry="third")
    with pytest.raises(Refused, match="no registry is known as other"):
        said(told, "other.example/team/app:prod", registry="main")


def test_the_same_key_and_declaration_are_recorded_once_even_when_the_tag_moved_since(told: Ledger) -> None:
    first = said(told, "team/app:prod", key="build-7", note="x")
    told.receive(push("prod", "newer", 100))
    assert said(told, "team/app:prod", key="build-7", note="x") == Declared(first.seq, is_new=False)
    for changed in ({"note": "y"}, {"note": "x", "change": "z"}):
        with pytest.raises(Refused, match=f"line {first.seq} recorded something else"):
            said(told, "team/app:prod", key="build-7", **changed)
    assert said(told, "team/app:prod", key="build-8").is_new
    assert said(told, "team/app:prod").is_new


def test_a_key_that_is_the_id_of_a_registrys_event_is_refused(told: Ledger) -> None:
    event = push("prod", "next", 90)
    told.receive(event)
    with pytest.raises(Refused, match="recorded something else"):
        said(told, "team/app:prod", key=event.id)


def test_after_erasure_a_repeated_declaration_is_still_known(told: Ledger) -> None:
    first = said(told, "team/app:prod", key="k", actor="alice")
    with told.store.writing() as tx:
        tx.execute("UPDATE disclosures SET who = NULL, raw = NULL WHERE seq = ?", (first.seq,))
    assert said(told, "team/app:prod", key="k", actor="alice") == Declared(first.seq, is_new=False)
    with pytest.raises(Refused):
        said(told, "team/app:stable", key="k")
    with told.store.writing() as tx:  # the checker cannot derive an erased actor's name anew
        tx.execute("UPDATE entries SET actor_id = NULL WHERE seq = ?", (first.seq,))
        tx.execute("DELETE FROM actors WHERE name = 'alice' AND id NOT IN (SELECT actor_id FROM entries)")


def test_a_key_used_by_many_at_once_is_recorded_once(told: Ledger) -> None:
    found: list[Declared] = []

    def run() -> None:
        found.append(said(told, "team/app:prod", key="same"))
        told.store.reader().close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({declared.seq for declared in found}) == 1
    assert [declared.is_new for declared in found].count(True) == 1


def test_the_answer_says_what_to_deploy_and_what_to_go_back_to(told: Ledger) -> None:
    client = make_client(told)
    answer = post(client, environment="production", reference="team/app:1.0.0", actor="jenkins", change="OPS-1")
    assert answer.status_code == 201
    body = answer.json
    assert body["deploy"] == f"registry.example:5000/team/app:1.0.0@{digest_of('three')}"
    assert body["roll_back_to"] == f"registry.example:5000/team/app:2.0@{digest_of('index')}"
    deployment = body["deployment"]
    assert (deployment["basis"], deployment["direction"], deployment["actor"]) == ("declared", "forward", "jenkins")
    assert (deployment["change"], deployment["actor_assurance"], deployment["note"]) == ("OPS-1", "claimed", None)
    assert deployment["previous"]["digest"] == digest_of("index")
    listed: Any = client.get("/api/v1/deployments?limit=1").json
    assert listed["items"] == [deployment]
    states: Any = client.get("/api/v1/environments?environment=production").json
    assert [state["published"] for state in states["items"]] == [deployment]


def test_the_first_deployment_has_nothing_to_go_back_to(told: Ledger) -> None:
    body = post(make_client(told), environment="production", reference="team/web:staging").json
    assert (body["deployment"]["direction"], body["roll_back_to"]) == ("first", None)
    assert body["deployment"]["unpinned"] is True


def test_a_repeated_post_is_answered_200_with_the_same(told: Ledger) -> None:
    client = make_client(told)
    declaration = {"environment": "production", "reference": "team/app:prod", "note": "n"}
    first, again = post(client, "k", **declaration), post(client, "k", **declaration)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    other = post(client, "k", **(declaration | {"note": "m"}))
    assert (other.status_code, other.mimetype) == (422, "application/problem+json")


@pytest.mark.parametrize(
    ("sent", "status", "parameter"),
    [
        ({"json": {"environment": "production"}}, 400, "reference"),
        ({"json": {"environment": "production", "reference": "team/app:prod", "nte": "x"}}, 400, "nte"),
        ({"json": {"environment": 7, "reference": "team/app:prod"}}, 400, "environment"),
        ({"json": []}, 400, "body"),
        ({"data": b"", "content_type": "application/json"}, 400, "body"),
        ({"data": b"\xff", "content_type": "application/json"}, 400, "body"),
        ({"data": b"[" * 60_000, "content_type": "application/json"}, 400, "body"),
        ({"data": b'{"environment":"\\ud800","reference":"a:b"}', "content_type": "application/json"}, 400, "body"),
        ({"data": b"{}" * 60_000, "content_type": "application/json"}, 413, None),
        ({"json": {"environment": "x", "reference": "team/app:prod"}}, 422, None),
        ({"json": GOOD, "query_string": "a=b"}, 400, "a"),
        ({"json": GOOD, "headers": {"Idempotency-Key": "x" * 256}}, 400, "Idempotency-Key"),
    ],
)
def test_a_bad_post_is_a_problem(told: Ledger, sent: dict[str, Any], status: int, parameter: str | None) -> None:
    answer = make_client(told).post("/api/v1/deployments", **sent)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    body: Any = answer.json
    assert body.get("parameter") == parameter


def test_a_deleted_tag_names_its_last_digest(told: Ledger) -> None:
    told.receive(delete_tag("prod", 80))
    body = post(make_client(told), environment="production", reference="team/app:prod").json
    assert digest_of("index") in body["detail"]


def test_a_declaration_comes_after_what_a_registry_whose_clock_is_ahead_reported(told: Ledger) -> None:
    told.receive(push("prod", "ahead", 86_400 + 3_600))
    body = post(make_client(told), environment="production", reference="team/app:2.0").json
    assert (body["deployment"]["direction"], body["deployment"]["until"]) == ("back", None)
    assert body["deployment"]["previous"]["digest"] == digest_of("ahead")


def doors(ledger: Ledger) -> FlaskClient:
    """The API as tokens see it: two that may read and declare, one that sees identities besides."""
    tokens = {"ci": {"read", "deploy"}, "other": {"read", "deploy"}, "seer": {"read", "deploy", "identity"}}
    configured = [(hashlib.sha256(name.encode()).digest(), name, frozenset(scopes)) for name, scopes in tokens.items()]
    return make_client(ledger, Authenticator(configured=configured))  # type: ignore[arg-type]


def answer(client: FlaskClient, token: str, path: str, **body: Any) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "job 7"}
    response = client.post(f"/api/v1/{path}", json=body, headers=headers)
    return response.status_code, response.data


@pytest.mark.parametrize(
    ("path", "body"),
    [("deployments", GOOD), ("entries/5/annotations", {"relation": "ticket", "change": "OPS-17"})],
)
@pytest.mark.parametrize("hidden", ["note", "actor"])
def test_what_a_line_discloses_cannot_be_guessed_by_its_key(
    told: Ledger, path: str, body: dict[str, Any], hidden: str
) -> None:
    """The key stands in the line, which everybody may read."""
    client = doors(told)
    assert answer(client, "ci", path, **body, **{hidden: "olga"})[0] == 201
    right, wrong = (answer(client, "other", path, **body, **{hidden: text}) for text in ("olga", "dora"))
    assert right == wrong
    assert answer(client, "ci", path, **body, **{hidden: "olga"})[0] == 200, "whoever wrote it may know"
    assert answer(client, "ci", path, **body, **{hidden: "dora"})[0] == 422
    if path == "deployments":
        assert answer(client, "seer", path, **body, **{hidden: "olga"})[0] == 200
    assert answer(client, "seer", path, **body, **{hidden: "dora"})[0] == 422


@pytest.mark.parametrize("hidden", ["note", "actor"])
def test_nor_can_it_be_by_a_proxys_user(told: Ledger, hidden: str) -> None:
    """Users have no token by which one could be told from another."""
    proxy = Proxy(addresses=(ip_network("127.0.0.1"),), user_header="X-User", everyone=("read", "deploy"))
    client = make_client(told, Authenticator(proxy=proxy))
    body = {"relation": "ticket", "change": "OPS-17", hidden: "olga"}

    def say(user: str, text: str) -> tuple[int, bytes]:
        headers = {"X-User": user, "Idempotency-Key": "job 7"}
        response = client.post("/api/v1/entries/5/annotations", json={**body, hidden: text}, headers=headers)
        return response.status_code, response.data

    assert say("ann", "olga")[0] == 201
    assert say("bob", "olga") == say("bob", "dora")
    assert say("bob", "olga")[0] == 200
