"""Which lines are in a bundle: by time, by filter, by lot; and what is always in it."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tagtrail.errors import BadParameter
from tagtrail.export.query import Sample, read_export_query
from tagtrail.export.selection import draw
from tagtrail.ledger.declare import Declaration, declare
from tagtrail.ledger.erase import erase, find_holdings
from tagtrail.ledger.prune import prune
from tagtrail.trail.rules import EnvironmentRule, Rules
from tests.checker import check_ledger
from tests.command_line import RULES, tell_deletion, tell_story
from tests.conftest import Clock
from tests.events import delete_tag, push
from tests.exports import exported
from tests.signed_log import Log, make_log


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[Log]:
    log = make_log(tmp_path, clock)
    tell_story(log.ledger)
    declare(log.ledger.store, log.ledger.recorder, Declaration("staging", "team/worker:staging"))
    tell_deletion(log.ledger)
    yield log
    check_ledger(log.ledger.store)
    log.ledger.store.close()


def lines_of(log: Log) -> list[dict[str, Any]]:
    return [json.loads(line) for (line,) in log.ledger.rows("SELECT line FROM lines ORDER BY seq")]


def belongs(line: dict[str, Any]) -> bool:
    return "repository" in line


FITTING: list[tuple[dict[str, str], Any]] = [
    ({"repository": "team/app"}, lambda line: line["repository"] == "team/app"),
    ({"repository": "team/[mw]*"}, lambda line: line["repository"] in ("team/multi", "team/worker")),
    ({"tag": "prod"}, lambda line: line.get("tag") == "prod"),
    ({"kind": "delete"}, lambda line: line["kind"] == "delete"),
    ({"registry": "main"}, lambda line: True),
    ({"registry": "other"}, lambda line: False),
    ({"digest": "7692c3"}, lambda line: line.get("digest", "").startswith("sha256:7692c3")),
    ({"tag": "prod", "kind": "push"}, lambda line: (line.get("tag"), line["kind"]) == ("prod", "push")),
    (
        {"environment": "production"},
        lambda line: line.get("tag") == "prod" or (line["kind"] == "delete" and "tag" not in line),
    ),
    (
        {"environment": "staging", "repository": "team/worker"},
        lambda line: line["repository"] == "team/worker" and (line.get("tag") == "staging"),
    ),
]


@pytest.mark.parametrize(("asked", "fits"), FITTING, ids=[str(asked) for asked, _ in FITTING])
def test_what_fits_is_in_it_with_all_that_belongs_to_no_repository(
    log: Log, tmp_path: Path, asked: dict[str, Any], fits: Any
) -> None:
    lines = lines_of(log)
    export = exported(log, **asked)
    assert export.seqs == [line["seq"] for line in lines if not belongs(line) or fits(line)]
    assert export.withheld == [line["seq"] for line in lines if belongs(line) and not fits(line)]
    assert export.manifest["filter"] == asked
    assert (export.manifest["lines"], export.manifest["withheld"]) == (len(export.seqs), len(export.withheld))
    assert export.verify(tmp_path).startswith("VERIFIED")


def test_the_digest_that_begins_several_is_all_of_them(log: Log) -> None:
    assert exported(log, digest="sha256:").manifest["kinds"]["push"] == 12


def test_an_environment_is_meant_by_the_tag_of_its_time(log: Log) -> None:
    changed = Rules(environments=(EnvironmentRule("production", "**", "live"),), registries=RULES.registries)
    log.ledger.put_in_force(changed)
    log.ledger.receive(push("prod", "two", 160_000), push("live", "two", 160_001))
    seqs = exported(log, environment="production").seqs
    after = [line for line in lines_of(log) if line["seq"] in seqs]
    tags = {(line["kind"], line.get("tag")) for line in after if belongs(line)}
    assert tags == {("push", "prod"), ("push", "live"), ("delete", None)}
    assert max(line["seq"] for line in after if line.get("tag") == "prod") < max(
        line["seq"] for line in after if line.get("tag") == "live"
    )


def test_a_time_is_a_range_of_lines(log: Log, tmp_path: Path) -> None:
    lines = lines_of(log)
    first, end = 5, 12
    export = exported(log, since=lines[first]["at"], until=lines[end]["at"])
    assert (export.proof["first"], export.proof["end"], export.seqs) == (first, end, list(range(first, end)))
    assert export.verify(tmp_path).startswith("VERIFIED")


@pytest.mark.parametrize("at", [{"since": "2100-01-01T00:00:00Z"}, {"until": "2000-01-01T00:00:00Z"}])
def test_a_time_without_lines_is_an_empty_range(log: Log, tmp_path: Path, at: dict[str, Any]) -> None:
    export = exported(log, **at)
    assert (export.seqs, export.withheld) == ([], [])
    assert export.verify(tmp_path).startswith("VERIFIED")


def test_a_sample_can_be_drawn_again_by_anybody(log: Log, tmp_path: Path) -> None:
    export = exported(log, sample="4", seed="ünlucky 7", repository="team/app")
    sample = export.manifest["sample"]
    population = [seq for first, last in sample["population"] for seq in range(first, last + 1)]
    assert population == [line["seq"] for line in lines_of(log) if line.get("repository") == "team/app"]
    lots = sorted(population, key=lambda seq: hashlib.sha256(f"{sample['seed']}{seq}".encode()).hexdigest())
    assert sample["drawn"] == sorted(lots[:4])
    assert [seq for seq in export.seqs if seq in population] == sample["drawn"]
    assert export.verify(tmp_path).startswith("VERIFIED")


def test_a_sample_of_more_than_there_is_is_all_of_it(log: Log) -> None:
    assert exported(log, sample="1000", seed="s").seqs == exported(log).seqs[:-2]


def test_the_draw_is_what_coreutils_say() -> None:
    lots = {}
    for seq in range(9, 14):
        done = subprocess.run(
            ["sh", "-c", 'printf %s%s "$1" "$2" | sha256sum', "sh", "a seed", str(seq)], capture_output=True, check=True
        )
        lots[done.stdout] = seq
    assert draw(Sample(2, "a seed"), range(9, 14)) == sorted(lots[lot] for lot in sorted(lots)[:2])


def test_pruned_lines_are_told_as_such(log: Log, tmp_path: Path) -> None:
    log.ledger.receive(*(push("prod", "one", 160_000 + at, repository="team/app") for at in range(6)))
    end = len(lines_of(log))
    done = prune(log.ledger.store, log.ledger.recorder, before=end - 1, reason="old")
    assert done is not None
    gone = sorted(set(range(end)) - {line["seq"] for line in lines_of(log)})
    questions: list[dict[str, Any]] = [{}, {"repository": "team/worker"}, {"sample": "3", "seed": "s"}]
    for asked in questions:
        export = exported(log, **asked)
        assert [row[0] for row in export.proof["withheld"] if row[2:] == ["pruned"]] == gone
        assert export.manifest["pruned"] == len(gone)
        assert export.verify(tmp_path).startswith("VERIFIED")


def test_what_was_erased_is_not_disclosed_and_all_is_proved(log: Log, tmp_path: Path) -> None:
    before = exported(log, identities=True)
    erase(log.ledger.recorder, find_holdings(log.ledger.store, "alice"), reason="asked to")
    export = exported(log, identities=True)
    assert b"alice" in before.files["pushes.csv"]
    assert not any(b"alice" in content for content in export.files.values())
    disclosed = {json.loads(line)["seq"] for line in export.files["disclosures.ndjson"].splitlines()}
    assert disclosed < set(export.seqs)
    assert "rased" in export.verify(tmp_path)


def test_without_identities_nothing_tells_of_a_person(log: Log) -> None:
    export = exported(log)
    assert "disclosures.ndjson" not in export.files
    for name, content in export.files.items():
        assert not any(word in content for word in (b"alice", b"192.0.2.7", b"docker/27")), name


def test_many_large_disclosures_are_read_a_few_at_a_time(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    before = exported(log, identities=True)
    monkeypatch.setattr("tagtrail.store.export._MOST_BYTES", 500)
    after = exported(log, identities=True, size=str(before.proof["size"]))
    assert after.files["disclosures.ndjson"] == before.files["disclosures.ndjson"]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"sample": "3"}, "seed"), ({"seed": "x"}, "sample"), ({"sample": "0", "seed": "x"}, "sample"),
        ({"sample": "-1", "seed": "x"}, "sample"), ({"sample": "999999999", "seed": "x"}, "sample"),
        ({"size": "many"}, "size"), ({"size": "9" * 16}, "size"), ({"identities": "yes"}, "identities"),
        ({"since_checkpoint": ""}, "since_checkpoint"), ({"since_checkpoint": "x" * 10_001}, "since_checkpoint"),
        ({"actor": "alice"}, "actor"), ({"repository": "A B"}, "repository"), ({"since": "yesterday"}, "since"),
        ({"kind": "pushes"}, "kind"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_named(parameters: dict[str, str], named: str) -> None:
    with pytest.raises(BadParameter) as refused:
        read_export_query(parameters)
    assert refused.value.parameter == named


def test_a_delete_of_the_environments_tag_is_the_environments(log: Log) -> None:
    log.ledger.receive(delete_tag("prod", 170_000, repository="team/app"))
    assert exported(log, environment="production").seqs[-1] == len(lines_of(log)) - 3
