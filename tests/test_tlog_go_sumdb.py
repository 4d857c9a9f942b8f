"""Go's own packages for checking logs (golang.org/x/mod/sumdb) accept what ours makes, and refuse what was changed."""

import json
import os
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tagtrail.line import hash_leaf
from tagtrail.tlog.note import Checkpoint, Signer, write_note
from tagtrail.tlog.tree import Tree
from tests.real import need
from tests.test_tlog_tree import Leaves, flip

GOPATH = Path("/usr/share/gocode")  # where Debian's golang-*-dev packages lie
SIGNER = Signer("tagtrail.example/log/1", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
LINES = [f'{{"seq":{seq}}}'.encode() for seq in range(300)]
LEAVES = [hash_leaf(line) for line in LINES]
TREE = Tree(Leaves(LEAVES))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checking program, compiled without a network."""
    go = need("go")
    if not (GOPATH / "src/golang.org/x/mod/sumdb").is_dir():
        reason = "golang-golang-x-mod-dev is not installed: `make test` installs it with apt-get"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    directory = tmp_path_factory.mktemp("go")
    settings = {"GO111MODULE": "off", "GOPATH": str(GOPATH), "GOCACHE": str(directory / "cache"), "GOFLAGS": ""}
    source = Path(__file__).parent / "go" / "checklog.go"
    subprocess.run(
        [go, "build", "-o", str(directory / "checklog"), str(source)],
        check=True, env=os.environ | settings, cwd=directory, timeout=300,
    )  # fmt: skip
    return directory / "checklog"


def base64(value: bytes) -> str:
    return b64encode(value).decode()


def ask(program: Path, note: str, *, keys: list[str], **more: Any) -> "subprocess.CompletedProcess[str]":
    asked = json.dumps({"keys": keys, "note": note, **more})
    return subprocess.run([program], input=asked, capture_output=True, text=True, check=False, timeout=60)


def signed(size: int, origin: str = SIGNER.name) -> str:
    return write_note(str(Checkpoint(origin, size, TREE.root(size))), [SIGNER])


def record(index: int, size: int) -> dict[str, Any]:
    path = [base64(hash) for hash in TREE.prove_inclusion(index, size)]
    return {"index": index, "line": base64(LINES[index]), "path": path}


def grown(old: int, size: int) -> dict[str, Any]:
    proof = [base64(hash) for hash in TREE.prove_consistency(old, size)]
    return {"size": old, "root": base64(TREE.root(old)), "proof": proof}


@pytest.mark.parametrize("origin", [SIGNER.name, "go.sum database tree"])
@pytest.mark.parametrize("size", [1, 2, 7, 255, 256, 257, 300])
def test_go_accepts_our_checkpoints_and_proofs(program: Path, size: int, origin: str) -> None:
    records = [record(index, size) for index in range(size)]
    trees = [grown(old, size) for old in range(1, size + 1)]
    done = ask(program, signed(size, origin), keys=[str(SIGNER.verifier)], records=records, trees=trees)
    expected = [f"record {index} proved" for index in range(size)]
    expected += [f"tree {old} proved" for old in range(1, size + 1)]
    assert done.stdout.splitlines() == ["signed by 1", *expected], done.stderr


def test_go_refuses_what_was_changed(program: Path) -> None:
    size = 300
    line, path, index = record(70, size), record(71, size), record(72, size)
    line["line"] = base64(LINES[70] + b" ")
    path["path"][2] = base64(flip(TREE.prove_inclusion(71, size)[2]))
    index["index"] = 73
    short = grown(200, size)
    short["proof"].pop()
    other = grown(201, size) | {"root": base64(TREE.root(200))}
    done = ask(program, signed(size), keys=[str(SIGNER.verifier)], records=[line, path, index], trees=[short, other])
    assert done.stdout.splitlines()[1:] == [
        "record 70 refused", "record 71 refused", "record 73 refused", "tree 200 refused", "tree 201 refused",
    ]  # fmt: skip


def test_go_refuses_a_changed_checkpoint_and_a_strangers(program: Path) -> None:
    stranger = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    changed = signed(300).replace("\n300\n", "\n301\n")
    for note, key in ((changed, SIGNER), (signed(300), stranger)):
        done = ask(program, note, keys=[str(key.verifier)])
        assert (done.returncode, done.stdout) == (1, ""), done.stderr


def test_go_reads_a_checkpoint_that_old_and_new_key_signed(program: Path) -> None:
    new = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    note = write_note(str(Checkpoint(SIGNER.name, 300, TREE.root(300))), [SIGNER, new])
    for keys, count in (([SIGNER], 1), ([new], 1), ([SIGNER, new], 2)):
        done = ask(program, note, keys=[str(key.verifier) for key in keys])
        assert done.stdout == f"signed by {count}\n", done.stderr
