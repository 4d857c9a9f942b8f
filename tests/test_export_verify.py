"""verify.py, as an auditor runs it: what it lets pass, and every tampering with the message that refuses it."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tagtrail.export import verify as checker
from tagtrail.tlog.note import Checkpoint, write_note
from tests import bundles
from tests.bundles import ORIGIN, PACKAGED, Files, Log, Part, draw, leaf, make, make_log, rotated, signer, write

FILTER = {"repository": "team/*"}
OLD_PYTHONS = sorted(Path("/usr/bin").glob("python3.[0-9]*[0-9]"))


@dataclass(frozen=True)
class RouteDecision:
    """What was printed, and the exit code."""

    code: int
    text: str


def verify(folder: Path, *arguments: str) -> RouteDecision:
    """Run the packaged verify.py on the folder, in this process."""
    printed, before = io.StringIO(), sys.argv
    sys.argv = ["verify.py", str(folder), *arguments]
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            code = checker.main()
    except SystemExit as ended:
        code = int(str(ended.code))
    finally:
        sys.argv = before
    return RouteDecision(code, printed.getvalue())


def refused(folder: Path, message: str, *arguments: str) -> None:
    """The bundle is refused, with this message and no traceback."""
    verdict = verify(folder, *arguments)
    assert verdict.code == 1, verdict.text
    assert re.match(f"NOT VERIFIED: .*{message}", verdict.text), verdict.text
    assert "Traceback" not in verdict.text
    assert "could not be finished" not in verdict.text or "could not be finished" in message


@pytest.fixture(scope="module")
def log() -> Log:
    return make_log()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tagtrail-export"


KEY = str(signer(1).verifier)


# ---- A good bundle


def run_alone(folder: Path, *arguments: str, python: str = sys.executable) -> "subprocess.CompletedProcess[str]":
    """The bundle's own verify.py in a Python that has no packages and knows nothing of this machine."""
    command = [python, "-I", "-S", "verify.py", *arguments]
    return subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)


def test_a_good_bundle_is_verified_by_a_python_without_packages(log: Log, folder: Path) -> None:
    done = run_alone(write(make(log), folder), "--key", KEY)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("VERIFIED with the key that you gave.\n")
    assert "When it was signed it had 39 lines. 39 lines\nare here" in done.stdout
    assert "recorded from 2026-04-20T12:00:00.000000Z to 2026-04-20T12:00:38.000000Z" in done.stdout
    assert not re.search("complete", done.stdout, re.IGNORECASE)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*make(log), "SHA256SUMS"])


@pytest.mark.parametrize("name", ["json.py", "argparse.py", "os.py", "__future__.py"])
def test_no_other_file_of_the_folder_is_run(name: str, log: Log, folder: Path, tmp_path: Path) -> None:
    """As it would be where somebody compares verify.py with one that they trust, and runs it where it lies."""
    ran = tmp_path / "ran"
    write(make(log), folder)
    (folder / name).write_text(f"open({str(ran)!r}, 'w').close()\n")
    done = subprocess.run([sys.executable, "verify.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert not ran.exists()
    assert done.stdout == f"NOT VERIFIED: {name} is not listed in SHA256SUMS; if it is yours, move it out\n"


@pytest.mark.parametrize("python", OLD_PYTHONS, ids=lambda path: path.name)
def test_it_runs_on_every_python_of_this_system(python: Path, log: Log, folder: Path) -> None:
    done = run_alone(write(make(log), folder), python=str(python))
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_written_for_python_3_8() -> None:
    import ast

    source = (PACKAGED / "verify.py").read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    assert source.isascii()
    assert not re.search(r"removeprefix|removesuffix|bit_count|file_digest|strict=True\)\)", source)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= sys.stdlib_module_names


def test_without_a_key_the_verdict_says_whose_key_it_took(log: Log, folder: Path) -> None:
    verdict = verify(write(make(log), folder))
    assert verdict.code == 0
    assert verdict.text.startswith("VERIFIED, but only against the key that is in this export itself.\n")
    assert KEY in verdict.text
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", folder / "log-key.pem", "-outform", "DER"], capture_output=True, check=True
    )
    assert f"SHA-256 {hashlib.sha256(der.stdout).hexdigest()}" in verdict.text


def test_the_key_may_be_in_a_file(log: Log, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert "with the key that you gave" in verify(write(make(log), folder), "--key", str(tmp_path / "key")).text


def test_the_known_gaps_are_told(log: Log, folder: Path) -> None:
    text = verify(write(make(log), folder)).text
    assert "Known gaps:    5\n" in text
    assert "2026-04-20T12:00:19.000000Z to 2026-04-20T12:00:20.000000Z, line 20: stopped: ..." in text
    assert "line 32: ended: ..." in text
    assert "line 17, registry main: restarted: ..." in text
    assert "line 16, registry main: quarantined: ..." in text
    assert "12:00:33.000000Z to 2026-04-20T12:00:34.000000Z, line 33, registry main: gap: ..." in text
    assert "Coverage:      main, 2026-04-20T12:00:00.000000Z to 2026-04-20T12:00:38.000000Z: REPORTED-ONLY" in text


def test_a_gap_that_was_not_closed_goes_on(folder: Path) -> None:
    log = make_log()
    log.add("gap_opened", registry="main", reason="it does not answer")
    text = verify(write(make(log), folder)).text
    assert "2026-04-20T12:00:39.000000Z to (still), line 39, registry main: gap: ..." in text


def test_what_was_withheld_and_pruned_is_told_by_number(log: Log, folder: Path) -> None:
    part = Part(hidden=[9, 10, 11, 25], pruned=range(6), filter=FILTER)
    text = verify(write(make(log, part), folder)).text
    assert "Withheld:      4: 9-11, 25 (you may ask for them by number)\n" in text
    assert "Pruned:        6: 0-5 (no longer kept by the operator)\n" in text


@pytest.mark.parametrize(("lines", "untold"), [([[3, 5]], "2: 6-7"), ([[3, 7]], None), ([], None)])
def test_a_line_that_is_said_to_be_pruned_and_was_not_is_told(lines: Any, untold: str | None, folder: Path) -> None:
    """Else whoever has something to hide could call a withheld line one that nobody has any more."""
    log = make_log()
    log.add("pruned", before=9, reason="old", **({"lines": lines} if lines else {}))
    verdict = verify(write(make(log, Part(pruned=range(3, 8))), folder))
    assert verdict.code == 0
    assert "Pruned:        5: 3-7 (no longer kept by the operator)" in verdict.text
    told = re.search("  reason unknown: (.*)", verdict.text)
    assert (told[1] if told else None) == untold


def test_a_range_is_verified_and_what_lies_outside_is_told(log: Log, folder: Path) -> None:
    part = Part(first=7, end=30, filter={"since": bundles.at(7), "until": bundles.at(30)})
    verdict = verify(write(make(log, part), folder))
    assert verdict.code == 0, verdict.text
    assert "Out of range:  0-6 and 30-38\n" in verdict.text


@pytest.mark.parametrize("size", [3, 4, 7, 8, 9, 31, 32, 33])
def test_every_range_of_every_size_is_verified(size: int, log: Log, folder: Path) -> None:
    times = {"since": "", "until": ""}
    for first in range(0, size + 1, 3):
        for end in range(first, size + 1, 2):
            part = Part(first=first, end=end, size=size, filter=times, identities=False)
            verdict = verify(write(make(log, part), folder))
            assert verdict.code == 0, (first, end, verdict.text)


def test_an_empty_log_is_verified(folder: Path) -> None:
    assert verify(write(make(Log(), Part(identities=False)), folder)).code == 0


def test_without_identities_nobody_is_named(log: Log, folder: Path) -> None:
    verdict = verify(write(make(log, Part(identities=False)), folder))
    assert verdict.code == 0, verdict.text
    assert "Identities:    not in this export" in verdict.text


def test_erased_disclosures_are_told_as_erased(log: Log, folder: Path) -> None:
    text = verify(write(make(log, Part(erased=[5, 21, 22, 24, 30])), folder)).text
    assert who_and_raw_are(text, erased="4: 21-22, 24, 30", pruned="none", unknown="1: 5")


def who_and_raw_are(text: str, **missing: str) -> bool:
    """Of both it is told, line by line, where they are missing."""
    told = "".join(f"  {why}: {missing[name]}\n" for name, why in WHY_MISSING.items())
    return all(f"Identities:    {name!r} as recorded, except\n{told}" in text for name in NAMES)


NAMES = ("who", "raw")
WHY_MISSING = {"erased": "erased since", "pruned": "pruned since", "unknown": "not disclosed, reason unknown"}


def test_without_any_disclosure_each_is_told_as_missing(log: Log, folder: Path) -> None:
    text = verify(write({**make(log), "disclosures.ndjson": b""}, folder)).text
    assert "  erased since: 5: 21-24, 30\n" in text
    assert "  not disclosed, reason unknown: 23: 3-15, 18, 25-29, 31, 35, 37-38\n" in text


def test_events_as_received_that_were_pruned_are_told_as_pruned(folder: Path) -> None:
    log = make_log()
    log.add("pruned", before=9, format="raw", reason="a year is over")
    files = make(log)
    rows = [json.loads(row) for row in lines_of(files, "disclosures.ndjson")]
    kept = [{name: row[name] for name in row if name != "raw" or row["seq"] > 9} for row in rows]
    files["disclosures.ndjson"] = b"".join(json.dumps(row).encode() + b"\n" for row in kept)
    text = verify(write(files, folder)).text
    assert text.count("  pruned since: none\n") == 1  # of who did it
    assert "  pruned since: 6: 3-8\n  not disclosed, reason unknown: 1: 9\n" in text


def test_a_terminal_is_not_commanded_by_what_is_in_a_bundle(log: Log, folder: Path) -> None:
    verdict = verify(write(make(log, Part(hidden=[9], filter={"repository": "\x1b[2J\u202e"})), folder))
    assert verdict.code == 0
    assert verdict.text.replace("\n", "").isprintable()
    assert verdict.text.isascii()


# ---- Earlier checkpoints, and keys that were changed


def kept(log: Log, size: int, path: Path) -> str:
    """The auditor's own file."""
    path.write_text(log.checkpoint(size))
    return str(path)


@pytest.mark.parametrize("since", [1, 2, 3, 16, 17, 31, 32, 33, 38, 39])
def test_growth_from_an_earlier_checkpoint_is_verified(since: int, log: Log, folder: Path, tmp_path: Path) -> None:
    write(make(log, Part(since=since)), folder)
    assert f"grown from the {since} lines of since-checkpoint; is that yours?" in verify(folder).text
    verdict = verify(folder, "--checkpoint", kept(log, since, tmp_path / "mine"))
    assert f"grown from your own checkpoint: its {since} lines are still the same" in verdict.text


def test_the_auditors_checkpoint_may_be_the_one_of_this_bundle(log: Log, folder: Path, tmp_path: Path) -> None:
    verdict = verify(write(make(log), folder), "--checkpoint", kept(log, 39, tmp_path / "mine"))
    assert "grown from your own checkpoint: its 39 lines" in verdict.text


def test_a_checkpoint_that_nothing_ties_is_refused(log: Log, folder: Path, tmp_path: Path) -> None:
    write(make(log, Part(since=17)), folder)
    refused(
        folder, "nothing ties this export to your checkpoint of 18 lines", "--checkpoint", kept(log, 18, tmp_path / "k")
    )


def forked() -> Log:
    """A log whose line 5 is another one."""
    log = make_log()
    log.lines[5] = log.lines[5].replace(b'"size":417', b'"size":418')
    return log


def test_a_forked_log_is_refused(log: Log, folder: Path, tmp_path: Path) -> None:
    files = make(forked(), Part(since=17))
    files["since-checkpoint"] = log.checkpoint(17).encode()
    files["pushes.csv"] = make(forked())["pushes.csv"]
    refused(write(files, folder), "this log has not grown from since-checkpoint: its first 17 lines")
    write(make(forked(), Part(since=17)), folder)
    mine = kept(log, 17, tmp_path / "mine")
    refused(folder, "your checkpoint and this export disagree on the first 17 lines", "--checkpoint", mine)
    whole = kept(log, 39, tmp_path / "whole")
    refused(folder, "your checkpoint and this export disagree on the first 39 lines", "--checkpoint", whole)


def test_a_checkpoint_of_another_key_ties_nothing(log: Log, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text(log.checkpoint(17, signer(9)))
    write(make(log, Part(since=17)), folder)
    refused(folder, "mine is not signed by a key of keys.vkey", "--checkpoint", str(tmp_path / "mine"))


ROTATED = Part(keys=(signer(1), signer(2), signer(3)), rotated_at=(12, 20))
KEYS = {12: signer(2), 20: signer(3)}


@pytest.mark.parametrize(("seed", "said"), [(1, "2 later change"), (2, "1 later change"), (3, "gave.\n")])
def test_rotations_lead_from_an_old_key(seed: int, said: str, log: Log, folder: Path) -> None:
    verdict = verify(write(make(rotated(log, KEYS), ROTATED), folder), "--key", str(signer(seed).verifier))
    assert verdict.code == 0, verdict.text
    assert said in verdict.text


def test_a_checkpoint_of_an_old_key_ties_too(log: Log, folder: Path, tmp_path: Path) -> None:
    write(make(rotated(log, KEYS), replace(ROTATED, since=10)), folder)
    verdict = verify(folder, "--key", KEY, "--checkpoint", kept(log, 10, tmp_path / "mine"))
    assert "its 10 lines are still the same" in verdict.text


@pytest.mark.parametrize(("signers", "missing"), [((2,), 1), ((1,), 2), ((1, 3), 2)])
def test_a_rotation_that_one_key_did_not_sign_is_refused(
    signers: tuple[int, ...], missing: int, log: Log, folder: Path
) -> None:
    log = rotated(log, KEYS)
    files = make(log, ROTATED)
    notes = log.rotation(12, signer(1), signer(2), *map(signer, signers)) + log.rotation(20, signer(2), signer(3))
    files["rotations"] = notes.encode()
    refused(write(files, folder), f"rotations, note 1 is not signed by {re.escape(str(signer(missing).verifier))}")


def test_a_rotation_with_a_false_signature_is_refused(log: Log, folder: Path) -> None:
    log = rotated(log, KEYS)
    files = make(log, ROTATED)
    files["rotations"] = files["rotations"].replace(b"\n12\n", b"\n13\n")
    refused(write(files, folder), "rotations, note 1: the signature of .* is false")


def test_a_rotation_without_its_statement_is_not_proved(log: Log, folder: Path) -> None:
    log = rotated(log, KEYS)
    files = make(log, ROTATED)
    files["rotations"] = log.rotation(12, signer(1), signer(2)).encode()
    write(files, folder)
    refused(folder, "nothing proves that your key handed over to", "--key", KEY)
    refused(folder, "nothing proves that your key handed over to", "--key", str(signer(2).verifier))
    for arguments in (("--key", str(signer(3).verifier)), ()):
        verdict = verify(folder, *arguments)
        assert verdict.code == 0, verdict.text
        assert f"Not proved: that {signer(2).verifier} handed over to {signer(3).verifier}." in verdict.text


THIEF = signer(7)


@pytest.mark.parametrize("part", [Part(), Part(keys=ROTATED.keys[:2], rotated_at=(12,)), Part(since=17)])
@pytest.mark.parametrize("with_checkpoint", [False, True])
def test_a_checkpoint_with_a_thiefs_signature_hands_over_to_no_key(
    part: Part, with_checkpoint: bool, log: Log, folder: Path, tmp_path: Path
) -> None:
    """Production's digest is replaced in the last line; everything else is what anybody can get or make."""
    log = rotated(log, {12: signer(2)} if part.rotated_at else {})
    changed = Log([*log.lines], dict(log.documents))
    changed.lines[-1] = changed.lines[-1].replace(digest("7"), digest("0"))
    assert changed.lines[-1] != log.lines[-1]
    files = make(changed, replace(part, keys=(*part.keys, THIEF), rotated_at=()))
    stolen = log.checkpoint(20, part.keys[-1], THIEF)
    pairs = zip(part.rotated_at, part.keys[:-1], part.keys[1:], strict=True)
    files["rotations"] = ("".join(log.rotation(at, old, new) for at, old, new in pairs) + stolen).encode()
    given = ["--key", KEY]
    if with_checkpoint:
        given += ["--checkpoint", kept(log, 17, tmp_path / "mine")]
    refused(write(files, folder), "is no rotation statement, so it hands over to no key", *given)
    files["rotations"] = files["rotations"].removesuffix(stolen.encode())
    refused(write(files, folder), "nothing proves that your key handed over to", *given)


def digest(content: str) -> bytes:
    return bundles.digest_of(content).encode()


def test_a_statement_is_no_checkpoint(log: Log, folder: Path, tmp_path: Path) -> None:
    files = make(log, Part(keys=(signer(1), signer(2)), rotated_at=(39,)))
    files["checkpoint"] = files["rotations"]
    refused(write(files, folder), "checkpoint is no checkpoint of the log")


@pytest.mark.parametrize("name", ["tagtrail/key-rotation/v1", "tagtrail/new-epoch/v1", "tagtrail/key-rotation/log/1"])
def test_no_key_is_named_like_a_statement(name: str, log: Log, folder: Path) -> None:
    files = {**make(log), "keys.vkey": f"{signer(1, name).verifier}\n".encode()}
    refused(write(files, folder), "keys.vkey line 1 is no Ed25519 verifier key")


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        (lambda log: log.rotation(20, signer(1), signer(2)) + log.rotation(12, signer(2), signer(3)), "does not fit"),
        (lambda log: log.rotation(12, signer(1), signer(3)) + log.rotation(20, signer(2), signer(3)), "before"),
        (
            lambda log: log.rotation(13, signer(1), signer(2)) + log.rotation(20, signer(2), signer(3)),
            "line 12 does not",
        ),
    ],
)
def test_a_statement_that_does_not_fit_is_refused(
    notes: Callable[[Log], str], message: str, log: Log, folder: Path
) -> None:
    log = rotated(log, KEYS)
    files = make(log, ROTATED)
    files["rotations"] = notes(log).encode()
    refused(write(files, folder), message)


def test_a_checkpoint_that_only_a_replaced_key_signed_is_refused(log: Log, folder: Path) -> None:
    log = rotated(log, KEYS)
    files = make(log, ROTATED)
    files["checkpoint"] = log.checkpoint(39, signer(2)).encode()
    refused(write(files, folder), f"checkpoint is not signed by {re.escape(str(signer(3).verifier))}")


def test_a_log_of_somebody_elses_key_is_caught_by_the_auditors_key(log: Log, folder: Path) -> None:
    write(make(forked(), Part(keys=(signer(7),))), folder)
    assert verify(folder).text.startswith("VERIFIED, but only against the key that is in this export itself")
    refused(folder, "this export is signed by another key than the one that you gave", "--key", KEY)


# ---- Samples


def sampled(log: Log, population: list[list[int]], count: int, seed: str, drawn: list[int] | None = None) -> Files:
    fitting = [seq for first, last in population for seq in range(first, last + 1)]
    drawn = draw(fitting, count, seed) if drawn is None else drawn
    hidden = [seq for seq in range(39) if "repository" in log.fields(seq) and seq not in drawn]
    sample = {"seed": seed, "count": count, "population": population, "drawn": drawn}
    return make(log, Part(hidden=hidden, sample=sample))


ALL_PUSHES = [[3, 15], [18, 18], [21, 31], [35, 35], [37, 38]]


def test_a_sample_is_drawn_again(log: Log, folder: Path) -> None:
    verdict = verify(write(sampled(log, ALL_PUSHES, 6, "2026/17"), folder))
    assert verdict.code == 0, verdict.text
    assert "Sample:        6 lines, drawn by the seed '2026/17'; is that your seed?" in verdict.text


def test_a_sample_of_more_than_there_is_takes_all(log: Log, folder: Path) -> None:
    assert verify(write(sampled(log, ALL_PUSHES, 100, "x"), folder)).code == 0


def test_a_wrong_draw_is_refused(log: Log, folder: Path) -> None:
    right = draw([seq for first, last in ALL_PUSHES for seq in range(first, last + 1)], 6, "2026/17")
    other = next(seq for seq in range(3, 16) if seq not in right)
    files = sampled(log, ALL_PUSHES, 6, "2026/17", sorted([*right[1:], other]))
    refused(write(files, folder), "these are not the lines that the seed '2026/17' draws")


def test_a_drawn_line_that_is_kept_back_is_refused(log: Log, folder: Path) -> None:
    right = draw([seq for first, last in ALL_PUSHES for seq in range(first, last + 1)], 6, "s")
    files = sampled(log, ALL_PUSHES, 6, "s", right[1:])
    files["manifest.json"] = sampled(log, ALL_PUSHES, 6, "s")["manifest.json"]
    files["manifest.json"] = edited(files["manifest.json"], **counts(files))
    refused(write(files, folder), rf"lines \[{right[0]}\] were drawn and are not here, or the reverse")


def test_a_line_beside_the_sample_is_refused(log: Log, folder: Path) -> None:
    right = draw([seq for first, last in ALL_PUSHES for seq in range(first, last + 1)], 6, "s")
    other = next(seq for seq in range(3, 16) if seq not in right)
    files = sampled(log, ALL_PUSHES, 6, "s", sorted([*right, other]))
    files["manifest.json"] = edited(
        files["manifest.json"], sample=json.loads(files["manifest.json"])["sample"] | {"drawn": right}
    )
    refused(write(files, folder), rf"lines \[{other}\] were drawn and are not here, or the reverse")


# ---- Tampering, by somebody who makes SHA256SUMS fit again


def edited(manifest: bytes, **changes: Any) -> bytes:
    """The manifest with other values."""
    return json.dumps(json.loads(manifest) | changes, indent=2, sort_keys=True).encode() + b"\n"


def counts(files: Files) -> dict[str, Any]:
    """What the manifest would say of the lines and the withheld ones that are there."""
    kinds: dict[str, int] = {}
    for line in files["entries.ndjson"].splitlines():
        kind = json.loads(line)["kind"]
        kinds[kind] = kinds.get(kind, 0) + 1
    return {"lines": sum(kinds.values()), "kinds": kinds, "withheld": files["proof.json"].count(b'="]') - 0}


def lines_of(files: Files, name: str) -> list[bytes]:
    return files[name].splitlines(keepends=True)


def edit_line(files: Files) -> None:
    """Another digest in line 5, and the CSV made to fit."""
    old, new = (bundles.digest_of(content).encode() for content in ("2", "evil"))
    for name in ("entries.ndjson", "pushes.csv"):
        lines = lines_of(files, name)
        where = next(number for number, line in enumerate(lines) if b"1.0.2" in line)
        lines[where] = lines[where].replace(old, new)
        files[name] = b"".join(lines)


def drop_lines(*seqs: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        lines = lines_of(files, "entries.ndjson")
        files["entries.ndjson"] = b"".join(line for seq, line in enumerate(lines) if seq not in seqs)

    return change


def swap_lines(files: Files) -> None:
    lines = lines_of(files, "entries.ndjson")
    lines[7], lines[8] = lines[8], lines[7]
    files["entries.ndjson"] = b"".join(lines)


def renumber_lines(files: Files) -> None:
    """Two lines change places and numbers."""
    lines = lines_of(files, "entries.ndjson")
    seven, eight = lines[7], lines[8]
    lines[7] = eight.replace(b'"seq":8', b'"seq":7').replace(b"12:00:08.000000Z", b"12:00:07.000000Z")
    lines[8] = seven.replace(b'"seq":7', b'"seq":8').replace(b"12:00:07.000000Z", b"12:00:08.000000Z")
    files["entries.ndjson"] = b"".join(lines)
    del files["disclosures.ndjson"]
    files["manifest.json"] = edited(files["manifest.json"], identities=False)
    rest = make(make_log(), Part(identities=False))
    files["deployments.csv"] = rest["deployments.csv"]
    log = Log(lines=[line[:-1] for line in lines])
    files["pushes.csv"] = bundles.pushes(log, range(39), {seq: {} for seq in range(39)}, identities=False)


def repeat_line(files: Files) -> None:
    lines = lines_of(files, "entries.ndjson")
    files["entries.ndjson"] = b"".join([*lines[:8], lines[7], *lines[8:]])


def cut_end(files: Files) -> None:
    files["entries.ndjson"] = files["entries.ndjson"][:-1]


def forge_size(files: Files) -> None:
    files["checkpoint"] = files["checkpoint"].replace(b"\n39\n", b"\n38\n")


def resign_smaller(files: Files) -> None:
    """The forger signs a shorter log with a key of their own, under the log's name."""
    files["checkpoint"] = make_log().checkpoint(38, signer(7)).encode()


def swap_disclosures(files: Files) -> None:
    lines = [json.loads(line) for line in lines_of(files, "disclosures.ndjson")]
    lines[2]["seq"], lines[3]["seq"] = lines[3]["seq"], lines[2]["seq"]
    lines[2], lines[3] = lines[3], lines[2]
    files["disclosures.ndjson"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def alter_disclosure(name: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        lines = [json.loads(line) for line in lines_of(files, "disclosures.ndjson")]
        lines[4][name] = bundles.base64url(b'["salt","%b",{"actor":"mallory"}]' % name.encode())
        files["disclosures.ndjson"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    return change


def disclose_nothing_there(files: Files) -> None:
    files["disclosures.ndjson"] = b'{"seq":0,"who":"WyJzIl0"}\n' + files["disclosures.ndjson"]


def disclose_elsewhere(files: Files) -> None:
    files["disclosures.ndjson"] += b'{"seq":39,"who":"WyJzIl0"}\n'


def repeat_disclosure(files: Files) -> None:
    lines = lines_of(files, "disclosures.ndjson")
    files["disclosures.ndjson"] = b"".join([*lines[:3], lines[2], *lines[3:]])


def replace_in(name: str, old: bytes, new: bytes) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new, 1)

    return change


def drop_row(name: str, number: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        rows = files[name].split(b"\r\n")
        files[name] = b"\r\n".join(rows[:number] + rows[number + 1 :])

    return change


def repeat_row(name: str, number: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        rows = files[name].split(b"\r\n")
        files[name] = b"\r\n".join([*rows[:number], rows[number - 1], *rows[number:]])

    return change


def append_row(files: Files) -> None:
    files["pushes.csv"] += files["pushes.csv"].splitlines(keepends=True)[-1]


def in_manifest(**changes: Any) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files["manifest.json"] = edited(files["manifest.json"], **changes)

    return change


def drop_file(name: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        del files[name]

    return change


def add_file(name: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[name] = b"something\n"

    return change


FORMULA = "has a cell that a spreadsheet would take for a formula"
WRONG_ROW = "is missing, or says something else than the line"
TAMPERINGS: list[tuple[Callable[[Files], None], str]] = [
    (edit_line, "these are not the lines that were signed"),
    (drop_lines(9), "line 9 is missing: neither in entries.ndjson nor withheld in proof.json; entries.ndjson line 10"),
    (drop_lines(38), "line 38 is missing: neither in entries.ndjson nor withheld"),
    (drop_lines(*range(39)), "line 0 is missing"),
    (swap_lines, r"line 7 is missing: .*; entries.ndjson line 8 is line 8"),
    (renumber_lines, "these are not the lines that were signed"),
    (repeat_line, "line 7 is here twice, or withheld too, or out of order; entries.ndjson line 9 is line 7"),
    (cut_end, "entries.ndjson line 39 is cut off"),
    (forge_size, r"checkpoint: the signature of tagtrail.example/log/1\+f3548cdf.* is false"),
    (resign_smaller, "checkpoint is not signed by a key of keys.vkey"),
    (swap_disclosures, "disclosures.ndjson: 'who' of line 5 is not what that line was written with"),
    (alter_disclosure("who"), "disclosures.ndjson: 'who' of line 7 is not what that line was written with"),
    (alter_disclosure("raw"), "disclosures.ndjson: 'raw' of line 7 is not what that line was written with"),
    (disclose_nothing_there, "disclosures.ndjson: 'who' of line 0 is not what that line was written with"),
    (disclose_elsewhere, "disclosures.ndjson has a row of line 39, which is not here"),
    (repeat_disclosure, "disclosures.ndjson has a row of line 5, which is not here, or twice, or out of order"),
    (drop_file("disclosures.ndjson"), "disclosures.ndjson is here, or not, against manifest.json"),
    (replace_in("pushes.csv", b"1.0.2", b"1.0.9"), f"pushes.csv: the row of line 5 {WRONG_ROW}"),
    (replace_in("pushes.csv", b'"registry.ex', b'"evil","registry.ex'), f"pushes.csv: the row of line 3 {WRONG_ROW}"),
    (replace_in("pushes.csv", b'"claimed"', b'"claimed"\r"evil"'), f"pushes.csv: the row of line 4 {WRONG_ROW}"),
    (replace_in("pushes.csv", b'"claimed"', b'"claimed"\n"evil"'), f"pushes.csv: the row of line 4 {WRONG_ROW}"),
    (replace_in("pushes.csv", b'"registry.ex', b'"=1+registry.ex'), f"pushes.csv: the row of line 3 {FORMULA}"),
    (replace_in("pushes.csv", b'"application/', b'"+application/'), f"pushes.csv: the row of line 3 {FORMULA}"),
    (replace_in("pushes.csv", b'"\'=cmd"', b'"=cmd"'), f"pushes.csv: the row of line 6 {FORMULA}"),
    (
        replace_in("deployments.csv", b"\"'=approved", b'"=approved'),
        f"deployments.csv: the row of line 18 {FORMULA}",
    ),
    (replace_in("gaps.csv", b'"..."', b'"@SUM(A1)"'), f"gaps.csv: the row of line 16 {FORMULA}"),
    (drop_row("pushes.csv", 5), f"pushes.csv: the row of line 7 {WRONG_ROW}"),
    (repeat_row("pushes.csv", 5), f"pushes.csv: the row of line 7 {WRONG_ROW}"),
    (append_row, "pushes.csv has a row too many"),
    (replace_in("pushes.csv", b'"image"', b'"other"'), "pushes.csv begins with other columns"),
    (replace_in("deployments.csv", b'"tag","digest"', b'"digest","tag"'), "deployments.csv begins with other columns"),
    (replace_in("deployments.csv", b'"team/app"', b'"team/up"'), f"deployments.csv: the row of line 15 {WRONG_ROW}"),
    (replace_in("deployments.csv", b'"prod"', b'"preprod"'), f"deployments.csv: the row of line 15 {WRONG_ROW}"),
    (replace_in("deployments.csv", b'"staging"', b'"production"'), f"deployments.csv: the row of line 18 {WRONG_ROW}"),
    (drop_row("deployments.csv", 2), f"deployments.csv: the row of line 18 {WRONG_ROW}"),
    (replace_in("deployments.csv", b'"18"', b'"19"'), f"deployments.csv: the row of line 18 {WRONG_ROW}"),
    (replace_in("deployments.csv", b'"38"', b'"-1"'), "deployments.csv has a row of line -1, which is not here"),
    (replace_in("deployments.csv", b'"38"', b'"83"'), "deployments.csv has a row of line 83, which is not here"),
    (drop_row("gaps.csv", 1), "manifest.json has gaps: 5, not 4"),
    (repeat_row("gaps.csv", 2), "manifest.json has gaps: 5, not 6"),
    (replace_in("gaps.csv", b'"gap","33"', b'"gap","83"'), "gaps.csv has a row of line 83, which is not here"),
    (
        replace_in("gaps.csv", b'"ended","32"', b'"ended","35"'),
        "gaps.csv has a row of line 33, which is not here, or twice",
    ),
    (replace_in("gaps.csv", b'"from","until"', b'"until","from"'), "gaps.csv begins with other columns"),
    (in_manifest(lines=38), "manifest.json has lines: 38, not 39"),
    (in_manifest(kinds={"push": 39}), 'manifest.json has kinds: {"push": 39}, not'),
    (in_manifest(withheld=1), "manifest.json has withheld: 1, not 0"),
    (in_manifest(pruned=1), "manifest.json has pruned: 1, not 0"),
    (in_manifest(gaps=0), "manifest.json has gaps: 0, not 5"),
    (in_manifest(size=38), "manifest.json and proof.json are of different ranges"),
    (in_manifest(origin="other/log/1"), "manifest.json and proof.json are of different ranges"),
    (in_manifest(first=1), "manifest.json and proof.json are of different ranges"),
    (in_manifest(format=2), "manifest.json: this is no export of format 1"),
    (in_manifest(identities=1), "disclosures.ndjson is here, or not, against manifest.json"),
    (drop_file("gaps.csv"), "gaps.csv is missing"),
    (drop_file("entries.ndjson"), "entries.ndjson is missing"),
    (add_file("note.txt"), "SHA256SUMS line 13 names no file of an export"),
    (add_file("rotations"), "rotations goes on after its last note"),
    (add_file("since-checkpoint"), "since-checkpoint is here without its proof in proof.json, or the reverse"),
    (lambda files: files.update({"log-key.pem": bundles.public_pem(signer(2))}), "log-key.pem is not the newest key"),
    (replace_in("proof.json", b'"end":39', b'"end":38'), "manifest.json and proof.json are of different ranges"),
    (replace_in("proof.json", b'"size":39', b'"size":40'), "proof.json is of another log, size or root"),
    (
        replace_in("proof.json", b'"left":[]', b'"left":[[0,"' + b"A" * 43 + b'="]]'),
        "there are 1 lines left of a range",
    ),
    (replace_in("proof.json", b'"right":[]', b'"right":[[0,"' + b"A" * 43 + b'="]]'), "these are not the lines that"),
    (replace_in("proof.json", b"]}", b"]}\n{}"), "proof.json goes on after its end"),
    (replace_in("proof.json", b"\n]}\n", b"\n"), "proof.json ends too early"),
]


@pytest.mark.parametrize("number", range(len(TAMPERINGS)), ids=lambda number: f"{number}: {TAMPERINGS[number][1][:50]}")
def test_tampering_is_refused_though_sha256sums_fits(number: int, log: Log, folder: Path) -> None:
    change, message = TAMPERINGS[number]
    files = make(log)
    change(files)
    refused(write(files, folder), message)


WITHHELD = Part(hidden=[9, 10, 11, 25], filter=FILTER)


def test_an_altered_withheld_hash_is_refused(log: Log, folder: Path) -> None:
    files = make(log, WITHHELD)
    files["proof.json"] = files["proof.json"].replace(
        bundles.base64(leaf(log.lines[10])).encode(), bundles.base64(bytes(32)).encode()
    )
    refused(write(files, folder), "these are not the lines that were signed")


def without(log: Log, seq: int) -> Files:
    """A bundle without a line in entries, proof and CSVs, its manifest made to fit: all but the signature."""
    files = make(log, Part(hidden=[*WITHHELD.hidden, seq], filter=FILTER))
    lines = [line for line in lines_of(files, "proof.json") if not line.startswith(b"[%d," % seq)]
    files["proof.json"] = b"".join(lines)
    files["manifest.json"] = edited(files["manifest.json"], withheld=4)
    return files


def test_a_line_removed_from_the_lines_and_the_proof_is_refused(log: Log, folder: Path) -> None:
    refused(write(without(log, 14), folder), "line 14 is missing: neither in entries.ndjson nor withheld")


def test_the_last_line_removed_from_the_lines_the_proof_and_the_range_is_refused(log: Log, folder: Path) -> None:
    files = without(log, 38)
    files["proof.json"] = files["proof.json"].replace(b'"end":39', b'"end":38')
    files["manifest.json"] = edited(files["manifest.json"], end=38)
    refused(write(files, folder), "lines at an end of the log are left out, but the query in manifest.json")
    files["manifest.json"] = edited(files["manifest.json"], filter={**FILTER, "until": "2026-04-20T12:00:38Z"})
    refused(write(files, folder), "these are not the lines that were signed: the 38 lines .* the 39 of its checkpoint")


def test_lines_removed_and_the_rest_renumbered_are_refused(folder: Path) -> None:
    log = make_log()
    short = Log()
    for seq in [seq for seq in range(39) if seq != 14]:
        fields = log.fields(seq) | {"seq": len(short.lines)}
        short.documents[len(short.lines)] = log.documents.get(seq, {})
        short.lines.append(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())
    files = make(short)
    files["checkpoint"] = log.checkpoint().encode()
    refused(write(files, folder), "proof.json is of another log, size or root than the signed checkpoint")


def test_a_line_moved_to_the_withheld_ones_is_refused_without_a_filter(log: Log, folder: Path) -> None:
    refused(write(make(log, Part(hidden=[14])), folder), "lines 1: 14 are withheld, and manifest.json has no filter")


def test_a_line_that_is_here_and_withheld_is_refused(log: Log, folder: Path) -> None:
    files = make(log, WITHHELD)
    row = json.dumps([14, bundles.base64(leaf(log.lines[14]))], separators=(",", ":")).encode()
    files["proof.json"] = files["proof.json"].replace(b"[25,", row + b",\n[25,")
    refused(write(files, folder), "line 14 is here twice, or withheld too, or out of order")


def test_times_that_do_not_rise_are_refused(folder: Path) -> None:
    log = make_log()
    log.lines[7] = log.lines[7].replace(b"12:00:07.000000Z", b"12:00:06.000000Z")
    refused(write(make(log), folder), "entries.ndjson line 8: its time .*:06.000000Z does not come after .*:06.000000Z")


# ---- Tampering that SHA256SUMS itself shows


def test_a_changed_file_is_named(log: Log, folder: Path) -> None:
    write(make(log), folder)
    with (folder / "pushes.csv").open("ab") as file:
        file.write(b" ")
    refused(folder, "pushes.csv was changed: SHA256SUMS has another hash for it")


def test_a_file_that_is_not_listed_is_named(log: Log, folder: Path) -> None:
    write(make(log), folder)
    (folder / "notes.txt").write_text("mine")
    refused(folder, "notes.txt is not listed in SHA256SUMS; if it is yours, move it out")


def test_a_removed_file_is_named(log: Log, folder: Path) -> None:
    write(make(log), folder)
    (folder / "gaps.csv").unlink()
    refused(folder, "gaps.csv is missing")


# ---- Hostile bundles


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../b", "..", ".", "", "SHA256SUMS", "gaps.csv\\"])
def test_a_path_in_sha256sums_is_refused(name: str, log: Log, folder: Path) -> None:
    write(make(log), folder)
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  {name}\n")
    refused(folder, "SHA256SUMS line 13 names no file of an export, or one twice")


@pytest.mark.parametrize("name", ["gaps.csv", "SHA256SUMS", "verify.py", "extra"])
def test_a_link_is_refused(name: str, log: Log, folder: Path, tmp_path: Path) -> None:
    write(make(log), folder)
    target = tmp_path / "target"
    target.write_bytes((folder / name).read_bytes() if (folder / name).exists() else b"")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(target)
    refused(folder, f"{name} is not a plain file")


def test_a_pipe_or_a_folder_is_refused(log: Log, folder: Path) -> None:
    write(make(log), folder)
    (folder / "gaps.csv").unlink()
    os.mkfifo(folder / "gaps.csv")
    refused(folder, "gaps.csv is not a plain file")
    (folder / "gaps.csv").unlink()
    (folder / "gaps.csv").mkdir()
    refused(folder, "gaps.csv is not a plain file")


DEEP = b"[" * 50_000 + b"]" * 50_000
HUGE = b"9" * 20_000
HOSTILE: list[tuple[str, bytes, bytes, str]] = [
    ("entries.ndjson", b'"seq":7', b'"seq":' + HUGE, "could not be finished, ValueError|stands where a number"),
    ("entries.ndjson", b'"seq":7', b'"seq":7e99', "entries.ndjson line 8 is line 7e.99"),
    ("entries.ndjson", b'"seq":7', b'"seq":true', "line True is here twice, or withheld too, or out of order"),
    ("entries.ndjson", b'"seq":7', b'"seq":-7', "line -7 is here twice, or withheld too, or out of order"),
    ("entries.ndjson", b'"seq":7', b'"sec":7', "could not be finished, KeyError: 'seq'"),
    ("entries.ndjson", b'"kind":"push"', b'"kind":["push"]', "could not be finished, TypeError"),
    ("entries.ndjson", b'"at":"', b'"at":27,"ad":"', "could not be finished, TypeError"),
    ("entries.ndjson", b"team/", b"te\xffm/", "could not be finished, UnicodeDecodeError"),
    ("entries.ndjson", b'{"act', b"\xff" + b'{"act', "could not be finished, UnicodeDecodeError"),
    ("entries.ndjson", b'"size":417', b'"size":"' + b"a" * 60_001 + b'"', "these are not the lines that were signed"),
    ("entries.ndjson", b'"size":417', b'"size":' + b"[" * 25_000 + b"]" * 25_000, "could not be finished, Recursion"),
    ("entries.ndjson", b"\n", b"\n\n", "could not be finished, JSONDecodeError"),
    ("disclosures.ndjson", b'"seq":3', b'"seq":"3"', "disclosures.ndjson has a row of line 3, which is not"),
    ("disclosures.ndjson", b'"who":"', b'"who":7,"raw":"', "could not be finished, |is not what that line was written"),
    ("disclosures.ndjson", b'{"seq":3', b'{"seq":-1}\n{"seq":3', "disclosures.ndjson has a row of line -1, which"),
    ("disclosures.ndjson", b'{"seq":3', DEEP, "could not be finished, RecursionError"),
    ("proof.json", b'"left":[]', b'"left":' + DEEP, "could not be finished, RecursionError"),
    ("proof.json", b'"left":[]', b'"left":[[99999999999,"' + b"A" * 43 + b'="]]', "a range from 0"),
    ("proof.json", b'"left":[]', b'"left":[["x","y"]]', "x stands where a number"),
    ("proof.json", b'"left":[]', b'"left":[[1,"!!"]]', "proof.json has something that is no Base64"),
    ("proof.json", b'"left":[]', b'"left":[[1,"QUJD"]]', "proof.json has something that is no SHA-256 hash"),
    ("proof.json", b'"end":39', b'"end":' + HUGE, "could not be finished, ValueError|stands where a number"),
    ("proof.json", b'"withheld":[\n', b'"withheld":[', "could not be finished, JSONDecodeError"),
    ("proof.json", b'"withheld":[\n', b'"withheld":[\n[7],\n', "could not be finished, ValueError"),
    ("proof.json", b'"since":null', b'"since":{"size":1,"proof":[]}', "since-checkpoint is here without its proof"),
    ("manifest.json", b'"sample": null', b'"sample": ' + DEEP, "could not be finished, RecursionError"),
    ("manifest.json", b'"sample": null', b'"sample": {"drawn": 7}', "could not be finished, KeyError"),
    ("manifest.json", b'"filter": {}', b'"filter": 7', "could not be finished, TypeError"),
    ("manifest.json", b"{", b"\xff{", "could not be finished, UnicodeDecodeError"),
    ("manifest.json", b"{", b"7", "could not be finished, "),
    ("keys.vkey", b"+", b" ", "keys.vkey line 1 is no Ed25519 verifier key"),
    (
        "keys.vkey",
        b"tagtrail.example/log/1+f3",
        b"tagtrail.example/log/1+f4",
        "keys.vkey line 1 is no Ed25519 verifier key",
    ),
    ("checkpoint", b"\n39\n", b"\n" + HUGE + b"\n", "the signature of .* is false"),
    ("checkpoint", "\u2014".encode(), b"-", "checkpoint is no signed note"),
    ("checkpoint", b"\n\n", b"\n", "checkpoint is no"),
    ("log-key.pem", b"MCow", b"....", "log-key.pem has something that is no Base64"),
    ("pushes.csv", b"1.0.2", b"1.0\x00", "pushes.csv: the row of line 5"),
    ("pushes.csv", b"\xef\xbb\xbf", b"\xff", "could not be finished, UnicodeDecodeError"),
    ("deployments.csv", b'"18"', b'"x"', "could not be finished, ValueError"),
    ("deployments.csv", b'"18"', b'"' + HUGE + b'"', "could not be finished, ValueError|which is not here"),
    ("deployments.csv", b'"staging"', b'"' + b"a" * 200_000 + b'"', "could not be finished, Error: field larger"),
    ("deployments.csv", b'"staging"', b'"\xff"', "could not be finished, UnicodeDecodeError"),
    ("gaps.csv", b'"quarantined"', b'"quarantined","x"', "could not be finished, ValueError"),
]


@pytest.mark.parametrize("number", range(len(HOSTILE)), ids=lambda number: f"{number}: {HOSTILE[number][0]}")
def test_a_hostile_file_is_refused_without_a_traceback(number: int, log: Log, folder: Path) -> None:
    name, old, new, message = HOSTILE[number]
    files = make(log)
    replace_in(name, old, new)(files)
    refused(write(files, folder), message)


@pytest.mark.parametrize("name", sorted(make(make_log())))
def test_an_empty_file_is_refused(name: str, log: Log, folder: Path) -> None:
    if name not in ("README.txt", "verify.py", "disclosures.ndjson"):
        refused(write({**make(log), name: b""}, folder), "(could not be finished)?")


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_anywhere_is_refused(seed: int, log: Log, folder: Path) -> None:
    """Every byte of the evidence counts, and of what repeats it all that is said to."""
    import random

    chance, files = random.Random(seed), make(log, WITHHELD)  # noqa: S311
    name = chance.choice(
        ["entries.ndjson", "proof.json", "checkpoint", "pushes.csv", "disclosures.ndjson", "keys.vkey"]
    )
    content = bytearray(files[name])
    parts = [range(len(content))]
    if name == "pushes.csv":  # from the repository in the image to the digest
        parts = [range(*row.span()) for row in re.finditer(rb'team/.*?"sha256:\w+","', content)]
    content[chance.choice(chance.choice(parts))] ^= 1 << chance.randrange(8)
    files[name] = bytes(content)
    verdict = verify(write(files, folder))
    if name == "disclosures.ndjson" and verdict.code == 0:  # the bit was in the name of what is disclosed
        assert re.search("(erased since|says why): 1: ", verdict.text)
    else:
        assert verdict.code == 1, verdict.text


# ---- What it costs


PEAK = """
import runpy, sys
try:
    runpy.run_path("verify.py", run_name="__main__")
except SystemExit as ended:
    assert not ended.code
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")][0])
"""


def peak_of(folder: Path) -> int:
    """The most memory that the checker held, in KiB."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", PEAK], cwd=folder, capture_output=True, check=True)
    return int(done.stdout.split()[-1])


def test_memory_does_not_grow_with_the_lines(tmp_path: Path) -> None:
    """Half of them are withheld, so that every large file is long."""
    peaks = []
    for size in (200, 12_000):
        log = Log()
        for number in range(size):
            log.push(f"1.0.{number}", "one")
        peaks.append(peak_of(write(make(log, Part(hidden=range(size // 2), filter=FILTER)), tmp_path / str(size))))
        files = sum(path.stat().st_size for path in (tmp_path / str(size)).iterdir())
    assert files > 7_000_000
    assert peaks[1] - peaks[0] < 4_000, "two blocks of the file that is being hashed are a half of it"


# ---- How it is called


def test_wrong_calls_are_told_with_exit_code_2(log: Log, folder: Path, tmp_path: Path) -> None:
    assert verify(tmp_path / "nothing").code == 2
    write(make(log), folder)
    assert verify(folder, "--key", "nothing").code == 2
    assert verify(folder, "--checkpoint", "nothing").code == 2
    assert verify(folder, "--nothing").code == 2
    refused(folder, "the key that you gave is no Ed25519 verifier key", "--key", "a+b+YWJj")


def test_a_folder_that_is_no_export_is_told(tmp_path: Path) -> None:
    refused(tmp_path, "there is no SHA256SUMS here; is this the folder tagtrail-export of an export?")


# ---- Ed25519


# RFC 8032, section 7.1: TEST 1, 2, 3 and SHA(abc): public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_the_vectors_of_rfc_8032(number: int) -> None:
    public, message, signature = (bytes.fromhex(text) for text in VECTORS[number])
    assert checker.is_signed(public, message, signature)
    assert not checker.is_signed(public, message + b"x", signature)


def test_signatures_are_judged_as_cryptography_judges_them() -> None:
    for number in range(25):
        key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"%d" % number).digest())
        public, message = key.public_key().public_bytes_raw(), b"m" * number
        signature = key.sign(message)
        assert checker.is_signed(public, message, signature)
        for where in (0, 31, 32, 63):
            changed = bytearray(signature)
            changed[where] ^= 1 << (number % 8)
            with pytest.raises(InvalidSignature):
                Ed25519PublicKey.from_public_bytes(public).verify(bytes(changed), message)
            assert not checker.is_signed(public, message, bytes(changed))


def test_a_second_way_to_write_a_signature_or_a_key_is_refused() -> None:
    key = signer(1).private
    public, signature = key.public_key().public_bytes_raw(), key.sign(b"text")
    number = int.from_bytes(signature[32:], "little") + checker.ORDER
    assert not checker.is_signed(public, b"text", signature[:32] + number.to_bytes(32, "little"))
    assert not checker.is_signed(public, b"text", signature[:63])
    assert not checker.is_signed(public, b"text", signature + b"\x00")
    assert not checker.is_signed(public[:31], b"text", signature)
    assert checker.decode_point((checker.P + 1).to_bytes(32, "little")) is None  # y = 1, written as P + 1
    assert checker.decode_point((1 | 1 << 255).to_bytes(32, "little")) is None  # x = 0 with a sign
    assert checker.decode_point((2).to_bytes(32, "little")) is None  # on no curve
    assert checker.decode_point(b"") is None


# ---- README.txt, followed to the letter


README = (PACKAGED / "README.txt").read_text() if (PACKAGED / "README.txt").exists() else ""
COMMANDS = re.findall(r"^    \$ (.*(?:\\\n.*)*)$", README, re.MULTILINE)


def test_the_readme_is_plain_and_claims_nothing_that_is_not_so() -> None:
    assert README.isascii()
    assert max(map(len, README.splitlines())) <= 80
    assert not re.search(r"(?i)\bcomplete|tamper-?proof|\bWORM\b|non-repudiation", README)
    assert set(re.findall(r"^  ([\w.-]+)  +\w", README, re.MULTILINE)) == {*bundles.ORDER, "SHA256SUMS"}


def by_hand(folder: Path) -> "subprocess.CompletedProcess[str]":
    """The commands of the section By hand, in a plain shell, one after the other."""
    section = README.partition("    # by hand\n")[2].partition("    # end\n")[0]
    script = "\n".join(re.findall("^    (.*)$", section, re.MULTILINE))
    return subprocess.run(["sh", "-eu", "-c", script], cwd=folder, capture_output=True, text=True, check=False)


def test_the_readmes_commands_verify_a_good_bundle(log: Log, folder: Path) -> None:
    done = by_hand(write(make(log), folder))
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert [line for line in done.stdout.splitlines() if line.endswith(": OK")] == [
        f"{name}: OK" for name in bundles.ORDER if name in make(log)
    ]
    assert done.stdout.splitlines()[-1] == done.stdout.splitlines()[-2] == bundles.base64(log.tree.root(39))
    assert verify(folder).code == 0  # nothing was left behind in the folder


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8])
def test_the_readmes_commands_find_the_root_of_any_size(size: int, log: Log, folder: Path) -> None:
    done = by_hand(write(make(log, Part(size=size)), folder))
    assert done.returncode == 0, done.stderr


def test_the_readmes_commands_follow_a_rotation(log: Log, folder: Path) -> None:
    log = rotated(log, {39: signer(2)})
    files = make(log, Part(keys=(signer(1), signer(2)), rotated_at=(39,)))
    assert verify(write(files, folder)).code == 0
    assert by_hand(folder).returncode == 0


@pytest.mark.parametrize("change", [edit_line, forge_size, resign_smaller, drop_lines(9), swap_lines, renumber_lines])
def test_the_readmes_commands_refuse_a_forgery(change: Callable[[Files], None], log: Log, folder: Path) -> None:
    files = make(log)
    change(files)
    assert by_hand(write(files, folder)).returncode != 0


def test_the_readmes_lottery_is_the_samples(log: Log) -> None:
    [command] = [command for command in COMMANDS if "SEED" in command]

    def lot(seq: int) -> str:
        given = {"SEED": "2026/17 %s", "SEQ": str(seq), "PATH": os.environ["PATH"]}
        return subprocess.run(["sh", "-c", command], env=given, capture_output=True, text=True, check=True).stdout

    assert sorted(sorted(range(20), key=lot)[:5]) == draw(range(20), 5, "2026/17 %s")


# ---- The writer and the checker


def test_a_consistent_rewrite_needs_the_key(log: Log, folder: Path) -> None:
    """Whoever redoes everything but the signature is refused by the signature."""
    files = make(forked())
    root = forked().tree.root(39)
    files["checkpoint"] = log.checkpoint().replace(
        bundles.base64(log.tree.root(39)), bundles.base64(root)
    ).encode()  # fmt: skip
    refused(write(files, folder), "checkpoint: the signature of .* is false: the text was changed")
    files["checkpoint"] = write_note(str(Checkpoint(ORIGIN, 39, root)), (signer(7),)).encode()
    refused(write(files, folder), "checkpoint is not signed by a key of keys.vkey")
