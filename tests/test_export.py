"""Making bundles: by the command line and over HTTP, which hand over the same bytes."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tagtrail.access.callers import Authenticator
from tagtrail.access.scopes import Scope
from tagtrail.errors import StorageUnavailable
from tagtrail.export import bundle as make
from tests.api_client import bearer, make_client
from tests.command_line import CommandLine, tell_deletion, tell_story
from tests.conftest import Ledger
from tests.events import push
from tests.exports import unpack


@pytest.fixture
def cli(ledger: Ledger) -> CommandLine:
    """The command line, asked about the story."""
    tell_story(ledger)
    return CommandLine(ledger.store.directory)


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "audit.zip"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [], "no draft is left behind"


def guarded(**tokens: set[Scope]) -> Authenticator:
    """Access by these tokens, each called by its own text."""
    known = [(hashlib.sha256(name.encode()).digest(), name, frozenset(scopes)) for name, scopes in tokens.items()]
    return Authenticator(configured=known, may_be_open=False)


def newest_line(ledger: Ledger) -> dict[str, Any]:
    [(line,)] = ledger.rows("SELECT line FROM lines ORDER BY seq DESC LIMIT 1")
    newest: dict[str, Any] = json.loads(line)
    return newest


def test_the_command_line_writes_a_bundle_for_its_owner_only(cli: CommandLine, out: Path, ledger: Ledger) -> None:
    said = cli.ask("export", "-o", str(out), "--repository", "team/app")
    assert "lines of the" in said
    assert "withheld" in said
    export = unpack(out.read_bytes())
    assert out.stat().st_mode & 0o777 == 0o600
    assert (export.manifest["asked_by"], export.manifest["identities"]) == ("the command line", False)
    line = newest_line(ledger)
    assert (line["kind"], line["sha256"]) == ("exported", hashlib.sha256(export.files["SHA256SUMS"]).hexdigest())
    assert export.verify(out.parent).startswith("VERIFIED")


def test_both_ways_hand_over_the_same_bytes(
    cli: CommandLine, out: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.ask("export", "-o", str(out), "--identities", "--since", "2026-04-21T12:00:00.000002Z", "--tag", "prod")
    size = unpack(out.read_bytes()).proof["size"]
    monkeypatch.setattr("tagtrail.api.export.ANYBODY", make.COMMAND_LINE)
    asked = {"identities": "true", "since": "2026-04-21T12:00:00.000002Z", "tag": "prod", "size": size}
    answer = make_client(ledger).get("/api/v1/export", query_string=asked)
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tagtrail-export.zip"'
    assert answer.data == out.read_bytes()


def test_every_option_does_something(cli: CommandLine, out: Path, ledger: Ledger) -> None:
    for number, (options, expected) in enumerate(
        [
            (["--since", "2026-04-21T12:00:00.000005Z"], {"since": "2026-04-21T12:00:00.000005000Z"}),
            (["--until", "2026-04-21T14:00:00.000005+02:00"], {"until": "2026-04-21T12:00:00.000005000Z"}),
            (["--registry", "main"], {"registry": "main"}),
            (["--repository", "team/*"], {"repository": "team/*"}),
            (["--tag", "prod"], {"tag": "prod"}),
            (["--digest", "7692"], {"digest": "7692"}),
            (["--environment", "production"], {"environment": "production"}),
            (["--kind", "push"], {"kind": "push"}),
        ]
    ):
        path = out.with_name(f"{number}.zip")
        cli.ask("export", "-o", str(path), *options)
        assert unpack(path.read_bytes()).manifest["filter"] == expected
    cli.ask("export", "-o", str(out), "--sample", "2", "--seed", "x")
    assert unpack(out.read_bytes()).manifest["sample"]["count"] == 2
    kept = out.with_name("kept")
    kept.write_bytes(unpack(out.read_bytes()).files["checkpoint"])
    later = out.with_name("later.zip")
    cli.ask("export", "-o", str(later), "--since-checkpoint", str(kept))
    assert unpack(later.read_bytes()).files["since-checkpoint"] == kept.read_bytes()
    at_its_size = out.with_name("at-its-size.zip")
    cli.ask("export", "-o", str(at_its_size), "--size", kept.read_text().split("\n")[1])
    assert unpack(at_its_size.read_bytes()).files["checkpoint"] == kept.read_bytes()


def test_a_file_that_is_there_is_not_overwritten(cli: CommandLine, out: Path, ledger: Ledger) -> None:
    out.write_text("evidence")
    before = newest_line(ledger)
    result = cli.run("export", "-o", str(out))
    assert (result.exit_code, out.read_text(), newest_line(ledger)) == (2, "evidence", before)
    assert "exists already" in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 2, "--output"),
        (["-o", "{out}", "--size", "4"], 1, "no checkpoint was signed at the size 4"),
        (["-o", "{out}", "--sample", "4"], 2, "seed"),
        (["-o", "{out}", "--since-checkpoint", "{kept}"], 5, "cannot be believed"),
        (["-o", "{out}/nowhere/x.zip"], 4, "No such file"),
        (["-o", "{out}", "--since-checkpoint", "{out}"], 2, "cannot be read"),
    ],
)
def test_what_cannot_be_made_is_told_and_leaves_nothing(
    cli: CommandLine, out: Path, options: list[str], code: int, said: str
) -> None:
    (out.with_name("kept")).write_text("nothing\n")
    result = cli.run("export", *[each.format(out=out, kept=out.with_name("kept")) for each in options])
    assert result.exit_code == code, result.stderr
    assert said in result.stderr
    assert not out.exists()


def test_a_bundle_can_go_into_a_pipe(cli: CommandLine, tmp_path: Path) -> None:
    result = cli.run("export", "-o", "-")
    assert result.exit_code == 0
    assert unpack(result.stdout_bytes).seqs
    assert "lines" in result.stderr


def test_at_a_terminal_a_bar_tells_how_far_it_is(cli: CommandLine, out: Path) -> None:
    assert "100%" in cli.ask_as_process("export", "-o", str(out))
    assert unpack(out.read_bytes()).seqs


@pytest.mark.parametrize("identities", ["true", "false"])
def test_that_an_export_begins_is_recorded_before_its_first_byte(ledger: Ledger, identities: str) -> None:
    """Each time: whoever asks again within the hour takes it away again."""
    ledger.receive(push("1.0", "one", 1, actor="alice"))
    client = make_client(ledger, access=guarded(auditor={"export", "identity"}))
    for _ in range(2):
        before = newest_line(ledger)["seq"]
        answer = client.get(
            "/api/v1/export", headers=bearer("auditor"), query_string={"identities": identities}, buffered=False
        )
        next(answer.iter_encoded())
        line = newest_line(ledger)
        assert (line["kind"], line["action"], line["token"]) == ("exported", "begun", "auditor")
        assert line["seq"] == before + 1
        answer.close()


def test_an_export_wants_its_scope_and_identities_theirs(ledger: Ledger) -> None:
    tell_story(ledger)
    client = make_client(ledger, guarded(reader={"read"}, exporter={"export"}, auditor={"export", "identity"}))
    codes = [client.get("/api/v1/export", headers=bearer(name)).status_code for name in ("nobody", "reader")]
    assert codes == [401, 403]
    for name, asked, identities in (
        ("exporter", {}, False),
        ("exporter", {"identities": "false"}, False),
        ("auditor", {}, True),
        ("auditor", {"identities": "false"}, False),
    ):
        answer = client.get("/api/v1/export", headers=bearer(name), query_string=asked)
        export = unpack(answer.data)
        assert (export.manifest["identities"], export.manifest["asked_by"]) == (identities, name)
        assert ("disclosures.ndjson" in export.files) == identities
        assert newest_line(ledger)["token"] == name
    refused = client.get("/api/v1/export", headers=bearer("exporter"), query_string={"identities": "true"})
    assert (refused.status_code, refused.mimetype) == (403, "application/problem+json")


@pytest.mark.parametrize(
    ("asked", "status"),
    [({"size": "3"}, 404), ({"sample": "3"}, 400), ({"actor": "x"}, 400), ({"since_checkpoint": "nothing"}, 422)],
)
def test_what_cannot_be_answered_is_a_problem_and_no_line(ledger: Ledger, asked: dict[str, str], status: int) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    before = newest_line(ledger)
    answer = make_client(ledger).get("/api/v1/export", query_string=asked)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert newest_line(ledger) == before


def test_a_service_that_lost_its_key_says_that_it_cannot_sign(ledger: Ledger) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    client = make_client(ledger)
    assert client.get("/api/v1/export").status_code == 200
    (ledger.store.directory / "log-key.pem").unlink()
    answer = client.get("/api/v1/export")
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert b"Cannot be signed" in answer.data


def test_a_client_that_goes_away_is_recorded(ledger: Ledger) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    answer = make_client(ledger).get("/api/v1/export", buffered=False)
    next(answer.iter_encoded())
    answer.close()
    assert newest_line(ledger)["reason"] == make.INTERRUPTED


def test_asking_for_the_headers_alone_makes_no_line(ledger: Ledger) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    assert make_client(ledger).head("/api/v1/export").status_code == 200
    assert newest_line(ledger)["kind"] == "push"


def test_an_export_that_cannot_be_recorded_is_not_handed_over(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    client = make_client(ledger)

    def fail(*_: object) -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(ledger.recorder, "record", fail)
    answer = client.get("/api/v1/export")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")


def test_a_checkpoint_can_be_given_over_http(ledger: Ledger) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    client = make_client(ledger)
    kept = unpack(client.get("/api/v1/export").data).files["checkpoint"].decode()
    tell_deletion(ledger)
    export = unpack(client.get("/api/v1/export", query_string={"since_checkpoint": kept}).data)
    assert export.files["since-checkpoint"].decode() == kept


def test_an_unzipper_of_the_system_reads_it(cli: CommandLine, out: Path) -> None:
    cli.ask("export", "-o", str(out))
    assert os.system(f"command -v unzip > /dev/null || exit 0; unzip -tqq '{out}'") == 0  # noqa: S605 - our own path
