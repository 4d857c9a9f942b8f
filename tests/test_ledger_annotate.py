"""Tickets, commits and approvals are tied to lines by lines of their own."""

import hashlib
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tagtrail.access.callers import Authenticator
from tagtrail.access.scopes import Scope
from tagtrail.errors import BadParameter, NotRecorded, Refused
from tagtrail.ledger.annotate import Annotation, Noted, annotate
from tagtrail.ledger.declare import Origin
from tagtrail.line import disclosed_value
from tagtrail.store.annotations import MOST_ANNOTATIONS, find_annotations
from tagtrail.store.lines import get_last_seq
from tests.api_client import RULES, make_client, story
from tests.command_line import CommandLine
from tests.conftest import Ledger
from tests.events import INDEX, envelope, push
from tests.test_ledger_erase import forget
from tests.test_ledger_prune import prune_all

SEQ = 5  # a push of the story


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    """The ledger after the story."""
    ledger.put_in_force(RULES)
    ledger.receive_body(envelope(*story()))
    return ledger


def tie(
    ledger: Ledger,
    relation: Any = "ticket",
    change: str | None = "OPS-17",
    seq: int = SEQ,
    key: str | None = None,
    **more: Any,
) -> Noted:
    """Annotate a line."""
    said = Annotation(relation, change, **more)
    return annotate(ledger.store, ledger.recorder, seq, said, key=key, origin=Origin("192.0.2.9", "curl/8", "ci"))


def line_of(ledger: Ledger, seq: int) -> dict[str, Any]:
    """The line, decoded."""
    ((line,),) = ledger.rows("SELECT line FROM lines WHERE seq = ?", seq)
    document: dict[str, Any] = json.loads(line)
    return document


def post(client: FlaskClient, seq: int | str = SEQ, *, key: str | None = None, **body: Any) -> Any:
    """POST an annotation."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(f"/api/v1/entries/{seq}/annotations", json=body, headers=headers)


def test_the_line_names_what_is_tied_and_no_person(told: Ledger) -> None:
    noted = tie(told, "approval", "CAB-4", note="olga said yes", actor="olga")
    line = line_of(told, noted.seq)
    assert (line["kind"], line["annotates"], line["relation"], line["change"]) == (
        "annotation",
        SEQ,
        "approval",
        "CAB-4",
    )
    assert (line["actor_assurance"], line["token"]) == ("claimed", "ci")
    assert "olga" not in json.dumps(line)
    ((who, raw),) = told.rows("SELECT who, raw FROM disclosures WHERE seq = ?", noted.seq)
    assert json.loads(disclosed_value(who)) == {"actor": "olga", "address": "192.0.2.9", "user_agent": "curl/8"}
    assert json.loads(disclosed_value(raw)) == {
        "annotates": SEQ, "relation": "approval", "change": "CAB-4", "note": "olga said yes", "actor": "olga"
    }  # fmt: skip


def test_several_may_be_tied_to_one_line_oldest_first(told: Ledger) -> None:
    seqs = [tie(told, relation, f"{relation}-1").seq for relation in ("ticket", "commit", "incident")]
    found = find_annotations(told.store.reader(), [SEQ, SEQ + 1])
    assert [annotated.seq for annotated in found[SEQ]] == seqs
    assert SEQ + 1 not in found


def test_of_very_many_the_newest_are_shown(told: Ledger) -> None:
    seqs = [tie(told, change=f"OPS-{number}").seq for number in range(MOST_ANNOTATIONS + 3)]
    assert [annotated.seq for annotated in find_annotations(told.store.reader(), [SEQ])[SEQ]] == seqs[3:]


def test_a_note_needs_no_more_than_its_text(told: Ledger) -> None:
    assert "change" not in line_of(told, tie(told, "note", None, note="see the wiki").seq)


@pytest.mark.parametrize(
    ("relation", "more"),
    [
        ("note", {}),
        ("ticket", {}),
        ("ticket", {"change": "a\nb"}),
        ("ticket", {"change": "x" * 501}),
        ("ticket", {"change": "1", "note": ""}),
        ("ticket", {"change": "1", "actor": "x" * 256}),
    ],
)
def test_what_ties_nothing_is_refused(told: Ledger, relation: str, more: dict[str, str]) -> None:
    with pytest.raises(BadParameter):
        tie(told, relation, more.pop("change", None), note=more.pop("note", None), actor=more.pop("actor", None))


def test_only_a_line_that_is_kept_and_no_annotation_can_be_annotated(told: Ledger) -> None:
    with pytest.raises(NotRecorded, match="there is no line 4000"):
        tie(told, seq=4_000)
    tied = tie(told)
    with pytest.raises(Refused, match=f"of line {SEQ}; annotate that one"):
        tie(told, seq=tied.seq)
    [pruned, *_] = prune_all(told)
    with pytest.raises(Refused, match=f"line {pruned} was pruned"):
        tie(told, seq=pruned)


def test_the_same_under_the_same_key_is_recorded_once(told: Ledger) -> None:
    first = tie(told, key="job 1", note="x")
    assert tie(told, key="job 1", note="x") == Noted(first.seq, is_new=False)
    with pytest.raises(Refused, match=f"line {first.seq} recorded something else"):
        tie(told, key="job 1", note="y")
    with pytest.raises(Refused):
        tie(told, key="job 1", note="x", seq=SEQ + 1)
    assert tie(told, key="job 2", note="x").is_new


def test_what_was_erased_is_still_known_by_its_key(told: Ledger) -> None:
    first = tie(told, key="job 1", note="asked by olga", actor="olga")
    forget(told, "olga")
    assert tie(told, key="job 1", note="asked by olga", actor="olga") == Noted(first.seq, is_new=False)
    [annotated] = find_annotations(told.store.reader(), [SEQ])[SEQ]
    assert (annotated.note, annotated.actor, annotated.change) == (None, None, "OPS-17")


def test_it_is_found_wherever_its_line_is_found(told: Ledger) -> None:
    tied = tie(told, actor="olga")
    client: Any = make_client(told)
    entry = line_of(told, SEQ)
    for query in (
        f"repository={entry['repository']}",
        f"tag={entry['tag']}",
        f"digest={entry['digest']}",
        "actor=olga",
    ):
        found = client.get(f"/api/v1/entries?{query}&kind=annotation").json["items"]
        assert [item["seq"] for item in found] == [tied.seq], query


def test_it_moves_nothing_and_counts_as_no_push(told: Ledger) -> None:
    client: Any = make_client(told)
    before = client.get("/api/v1/history?repository=team/app&tag=prod").json
    tie(told)
    assert client.get("/api/v1/history?repository=team/app&tag=prod").json == before


def test_over_http_it_is_created_once_and_shown_with_its_line(told: Ledger) -> None:
    client: Any = make_client(told)
    first = post(client, key="k", relation="commit", change="5208e61", note="n", actor="ci")
    again = post(client, key="k", relation="commit", change="5208e61", note="n", actor="ci")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert client.get(f"/api/v1/entries/{SEQ}/annotations").json == {"items": [first.json]}
    entries = {item["seq"]: item for item in client.get("/api/v1/entries").json["items"]}
    assert entries[SEQ]["annotations"] == [first.json]
    assert entries[SEQ + 1]["annotations"] == []
    assert client.get(f"/api/v1/entries/{SEQ + 1}/annotations").json == {"items": []}


def test_over_http_what_cannot_be_is_refused_with_a_sentence(told: Ledger) -> None:
    client: Any = make_client(told)
    assert client.get("/api/v1/entries/4000/annotations").status_code == 404
    assert client.get(f"/api/v1/entries/{10**30}/annotations").status_code == 404
    assert post(client, 4_000, relation="ticket", change="1").status_code == 404
    assert post(client, "x", relation="ticket", change="1").status_code == 404
    wrong = post(client, relation="tickett", change="1")
    assert (wrong.status_code, wrong.json["parameter"]) == (400, "relation")
    assert post(client, relation="ticket", change="1", who="me").json["parameter"] == "who"
    assert (
        post(client, post(client, relation="ticket", change="1").json["seq"], relation="ticket", change="2").status_code
        == 422
    )
    assert client.post(f"/api/v1/entries/{SEQ}/annotations", data="{}").status_code == 415


def test_tying_takes_the_scope_deploy_and_seeing_people_takes_identity(told: Ledger) -> None:
    scopes: dict[str, tuple[Scope, ...]] = {"r": ("read",), "d": ("deploy",), "i": ("read", "identity")}
    tokens = [(hashlib.sha256(name.encode()).digest(), name, frozenset(given)) for name, given in scopes.items()]
    client: Any = make_client(told, Authenticator(configured=tokens, may_be_open=False))
    body = {"relation": "ticket", "change": "OPS-17", "note": "asked by olga", "actor": "olga"}

    def ask(method: str, token: str | None) -> Any:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return client.open(f"/api/v1/entries/{SEQ}/annotations", method=method, headers=headers, json=body)

    assert [ask("POST", token).status_code for token in (None, "r", "i", "d")] == [401, 403, 403, 201]
    assert [ask("GET", token).status_code for token in (None, "d", "r")] == [401, 403, 200]
    assert b"olga" not in ask("GET", "r").data
    assert b"olga" not in ask("POST", "d").data
    [seen, _] = ask("GET", "i").json["items"]
    assert (seen["note"], seen["actor"]) == ("asked by olga", "olga")
    ((line,),) = told.rows("SELECT line FROM lines JOIN entries USING (seq) WHERE kind = 'annotation' LIMIT 1")
    assert json.loads(line)["token"] == "d"


def test_the_command_ties_and_the_log_shows(told: Ledger) -> None:
    line = CommandLine(told.store.directory)
    said = line.ask("annotate", str(SEQ), "--ticket", "OPS-17", "--note", "as agreed", "--actor", "olga", "--key", "k")
    seq = get_last_seq(told.store.reader())
    assert said == f"Recorded as line {seq}: ticket OPS-17: as agreed, tied to line {SEQ}.\n"
    assert line.ask(
        "annotate", str(SEQ), "--ticket", "OPS-17", "--note", "as agreed", "--actor", "olga", "--key", "k"
    ).startswith("Already")
    log = line.ask("log")
    assert f" {seq}  tied to line {SEQ}: ticket OPS-17  by olga (claimed)" in log
    [row] = [row for row in log.splitlines() if f" {SEQ}  " in row and f"line {SEQ}" not in row]
    assert "ticket OPS-17: as agreed  by" in row
    [shown] = line.ask_json("annotate", str(SEQ + 1), "--note", "see the wiki")
    assert (shown["annotates"], shown["relation"], shown["note"]) == (SEQ + 1, "note", "see the wiki")


@pytest.mark.parametrize("arguments", [[], ["--ticket", "1", "--commit", "2"], ["--note", ""], ["--ticket", ""]])
def test_the_command_wants_one_thing_to_tie(told: Ledger, arguments: list[str]) -> None:
    assert CommandLine(told.store.directory).run("annotate", str(SEQ), *arguments).exit_code == 2


def test_an_unknown_line_is_told_by_the_exit_code(told: Ledger) -> None:
    assert CommandLine(told.store.directory).run("annotate", "4000", "--ticket", "1").exit_code == 1


def test_an_annotation_may_be_about_any_line(told: Ledger) -> None:
    told.receive(push("2.0", "index", 99, media_type=INDEX))
    for seq in range(get_last_seq(told.store.reader())):
        tie(told, seq=seq)
