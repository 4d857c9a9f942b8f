"""A person is erased from every file, and every proof stays what it was."""

import json
import random
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from tagtrail.errors import BadParameter
from tagtrail.ledger.declare import Declaration, Origin, declare
from tagtrail.ledger.erase import _MOST_RANGES, LONGEST_REASON, check_request, erase, find_holdings, remove_traces
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft, Submission
from tagtrail.line import LONGEST, Entry, commitment, disclosure, place, write_line
from tagtrail.store.database import Store
from tagtrail.store.erasing import Holding, rewrite
from tagtrail.store.lines import get_last_seq
from tagtrail.store.tree import StoredHashes
from tagtrail.tlog.tree import Tree
from tests.api_client import RULES, make_client, some_events, story
from tests.checker import data_files
from tests.command_line import CommandLine
from tests.conftest import Ledger
from tests.events import SomeEvent, delete_tag, envelope, push

NAME = "mallory.o'hara"
ASIDE = "mallory.o'haras"  # somebody else


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    """The ledger after the story."""
    ledger.put_in_force(RULES)
    ledger.receive_body(envelope(*story()))
    return ledger


def forget(ledger: Ledger, name: str, *, reason: str = "request 17") -> list[int]:
    """Erase the name; the lines that record it."""
    return erase(ledger.recorder, find_holdings(ledger.store, name), reason=reason)


def hidden(text: str) -> str:
    """The text as JSON can hide it."""
    return "".join(f"\\u{ord(letter):04X}" for letter in text)


def test_the_name_is_gone_and_the_lines_are_not(told: Ledger) -> None:
    before = told.rows("SELECT seq, line, leaf FROM lines")
    [seq] = forget(told, "mallory")
    assert told.rows("SELECT seq, line, leaf FROM lines WHERE seq < ?", seq) == before
    assert told.rows("SELECT name FROM actors ORDER BY name") == [("alice",), ("bob",), ("carol",)]
    told.store.close()
    assert b"mallory" not in data_files(told.store.directory)
    told.store.prepare()


def test_the_line_says_what_was_erased_and_not_of_whom(told: Ledger) -> None:
    rows = told.rows("SELECT seq FROM entries e JOIN actors a ON a.id = e.actor_id WHERE a.name = 'alice' ORDER BY seq")
    held = [seq for (seq,) in rows]
    [seq] = forget(told, "alice")
    ((line,),) = told.rows("SELECT line FROM lines WHERE seq = ?", seq)
    said = json.loads(line)
    assert (said["kind"], said["reason"]) == ("erased", "request 17")
    assert [number for first, last in said["lines"] for number in range(first, last + 1)] == held
    assert not {row[0] for row in told.rows("SELECT seq FROM disclosures")} & set(held)


def test_answers_tell_of_nobody_where_a_person_was(told: Ledger) -> None:
    forget(told, "mallory")
    client: Any = make_client(told)
    [violation, *_] = [item for item in client.get("/api/v1/violations").json["items"] if item["tag"] == "1.0.0"]
    assert violation["actor"] is None
    assert client.get("/api/v1/entries?actor=mallory").json["items"] == []


def test_a_name_within_another_is_somebody_else(ledger: Ledger) -> None:
    ledger.receive(
        push("1", "a", 1, actor="al"),
        push("2", "b", 2, actor="alice"),
        push("3", "c", 3, actor="al-bot", agent="docker/27 al@example.org"),
        push("4", "d", 4, repository="al/app", actor="bob"),
        push("al", "e", 5, actor="carol"),
    )
    ((seq,),) = ledger.rows("SELECT seq FROM entries JOIN actors a ON a.id = actor_id WHERE a.name = 'al'")
    assert find_holdings(ledger.store, "al") == [Holding(seq, who=True, raw=True)]


def test_a_name_that_events_have_as_a_field_is_not_in_every_event(ledger: Ledger) -> None:
    ledger.receive(push("1", "a", 1, actor="bob"), push("2", "b", 2, actor="source"))
    assert [(holding.who, holding.raw) for holding in find_holdings(ledger.store, "source")] == [(True, True)]


def test_a_name_is_found_wherever_others_wrote_it(told: Ledger) -> None:
    declared = declare(
        told.store,
        told.recorder,
        Declaration("production", "team/app:prod", note="asked by dora, before lunch"),
        origin=Origin("192.0.2.9", "curl/8"),
    )
    told.receive_body(b'{"events": [{"actor": {"name": "' + hidden("dora").encode() + b'"}}]}')
    told.receive_body(b'\xff{"name": "dora"}')
    told.receive(push("9", "nine", 99, actor="erin", agent="dora"))
    last = get_last_seq(told.store.reader())
    found = find_holdings(told.store, "dora")
    assert found == [
        *(Holding(seq, who=False, raw=True) for seq in (declared.seq, last - 2, last - 1)),
        Holding(last, who=True, raw=True),
    ]
    assert len(told.rows("SELECT 1 FROM quarantine")) == 2
    forget(told, "dora")
    assert told.rows("SELECT 1 FROM quarantine") == []
    assert find_holdings(told.store, "dora") == []


def test_a_name_that_json_escapes_is_found(ledger: Ledger) -> None:
    name = 'Zoë <ops> \\ "Q"'
    body = envelope(push("1", "a", 1, actor="SOMEBODY"))
    ledger.receive_body(body.replace(b'"SOMEBODY"', json.dumps(name).encode()))
    ledger.receive_body(envelope(push("2", "b", 2, actor="SOMEBODY")).replace(b"SOMEBODY", hidden(name).encode()))
    forget(ledger, name)
    ledger.store.close()
    content = data_files(ledger.store.directory)  # of which two letters could be a part by chance
    assert not any(text.encode() in content for text in ("<ops>", hidden("<ops>"), hidden("<ops>").lower()))
    ledger.store.prepare()


@pytest.mark.parametrize("name", ["CORP\\mallory", 'the "Q"', "Zo\u00eb \U0001f600"])
def test_a_name_that_was_escaped_in_what_was_quarantined_is_found(ledger: Ledger, name: str) -> None:
    body = json.dumps({"events": [{"actor": {"name": name}}]}).encode()
    ledger.receive_body(body)
    ledger.receive_body(b"\xff" + body)
    found = ledger.rows("SELECT seq FROM quarantine ORDER BY seq")
    assert find_holdings(ledger.store, name) == [Holding(seq, who=False, raw=True) for (seq,) in found]
    assert len(found) == 2


def test_a_name_that_was_quarantined_is_found_in_the_file(ledger: Ledger) -> None:
    name = "CORP\\mallory"
    ledger.receive_body(json.dumps({"events": [{"actor": {"name": name}}]}).encode())
    assert remove_traces(ledger.store, name).files == ("tagtrail.db",)


COMPOSED, APART = "Jos\u00e9 Garc\u00eda", "Jose\u0301 Garci\u0301a"
HALF = "Jose\u0301 Garc\u00eda"


@pytest.mark.parametrize("asked", [COMPOSED, APART, HALF])
def test_a_name_is_found_in_every_form_of_unicode(ledger: Ledger, asked: str) -> None:
    spellings = (COMPOSED, APART, HALF)
    ledger.receive(*(push(str(at), "a", at, actor=name) for at, name in enumerate(spellings, 1)))
    ledger.receive(push("4", "b", 4, actor="bob", agent=f"curl ({APART})"), push("5", "c", 5, actor="Jose Garcia"))
    spelled: set[str] = set()
    holdings = find_holdings(ledger.store, asked, spelled=spelled.add)
    assert [holding.seq for holding in holdings] == [1, 2, 3, 4]
    assert spelled == set(spellings)
    erase(ledger.recorder, holdings, reason="request 17")
    traces = remove_traces(ledger.store, asked, spelled=spelled)
    assert (traces.files, traces.kept.actors) == ((), 0)
    content = data_files(ledger.store.directory)
    assert not any(text.encode() in content for text in spellings)
    assert ledger.rows("SELECT name FROM actors ORDER BY name") == [("Jose Garcia",)]


@pytest.mark.parametrize("name", ["\uac00\ub098", "\u00e9", "\u212b"])
def test_a_name_without_a_letter_that_is_the_same_in_all_forms_is_found(ledger: Ledger, name: str) -> None:
    ledger.receive(push("1", "a", 1, actor=normalize("NFD", name)), push("2", "b", 2, actor=normalize("NFC", name)))
    assert [holding.seq for holding in find_holdings(ledger.store, name)] == [1, 2]


def test_a_name_with_an_accent_more_is_somebody_else(ledger: Ledger) -> None:
    ledger.receive(push("1", "a", 1, actor="bob", agent="Jose\u0301"), push("2", "b", 2, actor="bob", agent="jx\u0302"))
    assert find_holdings(ledger.store, "Jose") == []
    assert find_holdings(ledger.store, "jx") == []


def test_the_command_tells_each_way_in_which_the_name_is_written(ledger: Ledger) -> None:
    ledger.receive(push("1", "a", 1, actor=COMPOSED), push("2", "b", 2, actor=APART))
    cli = CommandLine(ledger.store.directory)
    told = "all are included: Jose\\u0301 Garci\\u0301a, Jos\\xe9 Garc\\xeda."
    dry = " ".join(cli.ask("erase", "--actor", COMPOSED, "--reason", "request 17").split())
    assert "2 names and 2 events as received" in dry
    assert told in dry
    done = " ".join(cli.ask("erase", "--actor", COMPOSED, "--reason", "request 17", "--yes").split())
    assert told in done
    assert "is in no file of" in done


def test_a_name_within_a_user_agent_is_erased_with_it(ledger: Ledger) -> None:
    ledger.receive(push("1", "a", 1, actor="bob", agent="docker/27 (mallory)"), push("2", "b", 2, agent="by mallory"))
    assert [(holding.who, holding.raw) for holding in find_holdings(ledger.store, "mallory")] == [(True, True)] * 2
    forget(ledger, "mallory")
    assert remove_traces(ledger.store, "mallory").files == ()


def test_another_process_that_remembers_the_name_names_nobody_wrongly(told: Ledger) -> None:
    store = Store(told.store.directory)
    other = Ledger(store, Recorder(store, clock=told.clock), told.clock)
    other.receive(push("prod", "x", 100, actor="mallory"), push("prod", "y", 101, actor="bob"))
    forget(told, "mallory")
    told.receive(push("new", "n", 102, actor="newcomer"))  # may be given the number that mallory had
    other.receive(push("prod", "z", 103, actor="mallory"))
    names = told.rows(
        "SELECT a.name FROM entries e LEFT JOIN actors a ON a.id = e.actor_id ORDER BY e.seq DESC LIMIT 2"
    )
    assert names == [("mallory",), ("newcomer",)]
    store.close()


def test_a_repeated_delivery_of_an_erased_event_adds_nothing(ledger: Ledger) -> None:
    event = push("1.0", "one", 1, actor="mallory")
    ledger.receive(event)
    forget(ledger, "mallory")
    before = get_last_seq(ledger.store.reader())
    ledger.receive(event)
    assert get_last_seq(ledger.store.reader()) == before
    assert ledger.rows("SELECT name FROM actors") == []


def test_a_name_that_was_asked_for_is_erased_with_the_question(told: Ledger) -> None:
    question = disclosure("raw", b'{"path":"/api/v1/entries","query":"actor=J%C3%B6rg+Doe&limit=5"}')
    entry = Entry(kind="exported", format="json", raw=commitment(question))
    told.recorder.record(Submission((Draft(entry, raw=question),)))
    seq = get_last_seq(told.store.reader())
    assert find_holdings(told.store, "J\u00f6rg Doe") == [Holding(seq, who=False, raw=True)]


def test_more_ranges_than_a_line_holds_take_several_lines(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagtrail.ledger.erase._MOST_RANGES", 3)
    ledger.receive(*(push("prod", f"{at}", at, actor="mallory" if at % 2 else "bob") for at in range(14)))
    assert len(forget(ledger, "mallory")) == 3
    assert ledger.rows("SELECT name FROM actors") == [("bob",)]


def test_as_many_ranges_as_a_line_may_name_fit_it(ledger: Ledger) -> None:
    far = 10**10
    ranges = tuple((far + n, far + n) for n in range(_MOST_RANGES))
    entry = Entry(kind="erased", reason="\U0001f600" * LONGEST_REASON, lines=ranges)
    assert len(write_line(place(entry, seq=far, at="2026-04-20T12:00:00.000000Z"))) <= LONGEST


@pytest.mark.parametrize(
    "reason", ["", "mallory asked", "asked by Mallory.", "a\nb", "x" * 501, "request-mallory-17", "mallory@example.org"]
)
def test_a_reason_that_is_none_or_names_the_person_is_refused(reason: str) -> None:
    with pytest.raises(BadParameter):
        check_request("mallory", reason)


@pytest.mark.parametrize("name", ["", "x" * 256, "\udcff"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadParameter, match="1 to 255 characters"):
        check_request(name, "request 17")


def test_a_reason_with_a_word_that_contains_the_name_is_none_that_names() -> None:
    check_request("al", "a legal request")


@pytest.fixture
def crowded(ledger: Ledger) -> Ledger:
    """Several hundred lines of several people, some with large disclosures, with lines that were erased in between."""
    chance = random.Random(3)  # noqa: S311 - no secret
    people = [NAME, ASIDE, "bob", "carol", "dora"]
    for at in range(900):
        actor = chance.choice(people)
        agent = f"docker/27 {'x' * chance.choice([0, 0, 40, 900, 9_000])}"
        event = push(f"t{chance.randrange(40)}", f"{chance.randrange(60)}", at, actor=actor, agent=agent)
        ledger.receive(event if chance.random() < 0.9 else delete_tag(event.tag or "", at, actor=actor))
        if at in (300, 600):
            forget(ledger, people.pop())
    ledger.receive_body(f"not an envelope, by {NAME}".encode())
    return ledger


def test_the_name_is_in_no_file_of_a_crowded_ledger(crowded: Ledger) -> None:
    size = get_last_seq(crowded.store.reader()) + 1
    root = Tree(StoredHashes(crowded.store.reader())).root(size)
    for _ in range(3):
        other = Recorder(crowded.store, clock=crowded.clock)
        other.record(Submission((Draft(Entry(kind="started", version="1")),)))
    forget(crowded, NAME)
    traces = remove_traces(crowded.store, NAME)
    # Somebody else's longer name is left, and everything that is found belongs to it.
    content = b"".join(path.read_bytes() for path in crowded.store.directory.iterdir())
    assert content.count(NAME.encode()) == content.count(ASIDE.encode()) > 0
    assert (traces.is_emptied, traces.files, traces.kept.lines) == (True, ("tagtrail.db",), 0)
    assert (crowded.store.directory / "tagtrail.db-wal").stat().st_size == 0
    assert Tree(StoredHashes(crowded.store.reader())).root(size) == root
    forget(crowded, ASIDE)
    assert remove_traces(crowded.store, ASIDE).files == ()
    assert b"mallory" not in data_files(crowded.store.directory)


def test_an_open_reader_is_told_of_and_nothing_else_waits(told: Ledger) -> None:
    reading = Store(told.store.directory)
    with reading.snapshot() as db:
        assert db.execute("SELECT count(*) FROM lines").fetchone()
        forget(told, "mallory")
        assert not remove_traces(told.store, "mallory").is_emptied
    assert remove_traces(told.store, "mallory").is_emptied
    assert b"mallory" not in data_files(told.store.directory)
    reading.close()


def test_processes_at_work_go_on_when_the_database_is_written_anew(told: Ledger) -> None:
    store = Store(told.store.directory)
    other = Ledger(store, Recorder(store, clock=told.clock), told.clock)
    other.receive(push("prod", "x", 100))
    lines = other.rows("SELECT * FROM lines")
    assert rewrite(told.store)
    assert not (told.store.directory / "tagtrail.db.rewritten").exists()
    assert other.rows("SELECT * FROM lines") == lines
    other.receive(push("prod", "y", 101))
    told.receive(push("prod", "z", 102))
    assert other.rows("PRAGMA journal_mode") == [("wal",)]
    assert other.rows("PRAGMA integrity_check") == [("ok",)]
    assert len(other.rows("SELECT * FROM lines")) == len(lines) + 2
    store.close()


def test_annotations_and_governance_lines_are_erased_from_too(told: Ledger) -> None:
    who = disclosure("who", b'{"actor":"olga"}')
    entry = Entry(kind="exported", token="audit", format="zip", who=commitment(who))
    told.recorder.record(Submission((Draft(entry, who=who),)))
    [seq] = forget(told, "olga")
    assert told.rows("SELECT who FROM disclosures WHERE seq = ?", seq - 1) == []


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happened_the_trail_without_a_person_is_derived_again(ledger: Ledger, seed: int) -> None:
    ledger.put_in_force(RULES)
    events = some_events(seed, 120)
    random.Random(seed).shuffle(events)  # noqa: S311 - no secret
    ledger.receive(*events[:80])
    forget(ledger, "alice")
    ledger.receive(*events[80:])
    forget(ledger, "bob")


def test_a_dry_run_tells_and_changes_nothing(told: Ledger, tmp_path: Path) -> None:
    line = CommandLine(told.store.directory)
    before = data_rows(told)
    said = line.ask("erase", "--actor", "mallory", "--reason", "request 17")
    assert "Would be erased: 1 name and 1 event as received, of 1 line" in said
    assert "--yes" in said
    assert data_rows(told) == before
    assert line.run("erase", "--actor", "nobody", "--reason", "request 17").exit_code == 1
    assert line.run("erase", "--actor", "mallory", "--reason", "for mallory").exit_code == 2


def test_the_command_erases_and_looks_into_the_files(told: Ledger) -> None:
    line = CommandLine(told.store.directory)
    said = line.ask("erase", "--actor", "mallory", "--reason", "request 17", "--yes")
    assert f"Recorded as line {get_last_seq(told.store.reader())}." in said
    assert "The name is in no file of" in said
    assert "somebody whose name was erased" in line.ask("log", "--tag", "1.0.0")
    again = line.ask("erase", "--actor", "mallory", "--reason", "request 17", "--yes")
    assert "nothing was recorded" in again


def test_what_stays_is_told(told: Ledger) -> None:
    told.receive(SomeEvent(tag="1", digest="sha256:" + "0" * 64, repository="dora/app", actor="dora", at=200))
    said = CommandLine(told.store.directory).ask("erase", "--actor", "dora", "--reason", "request 18", "--yes")
    assert "The text dora still stands in tagtrail.db" in said
    assert "in 1 line (a repository" in said


def data_rows(ledger: Ledger) -> list[object]:
    return [ledger.rows(f"SELECT * FROM {table} ORDER BY 1") for table in ("lines", "disclosures", "entries", "actors")]
