"""Bundles made from a signed ledger and unpacked, for tests about exports."""

import base64
import csv
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from tagtrail.access.disclosures import Requester
from tagtrail.export.bundle import COMMAND_LINE, Bundle, hand_over, prepare
from tagtrail.export.query import read_export_query
from tagtrail.line import hash_leaf
from tagtrail.tlog.tree import Frontier
from tests.signed_log import Log

FOLDER = "tagtrail-export/"


@dataclass(frozen=True, slots=True)
class Export:
    """A bundle's files by name, in the order of the zip."""

    files: dict[str, bytes]

    @property
    def manifest(self) -> dict[str, Any]:
        """The contents of `manifest.json`."""
        manifest: dict[str, Any] = json.loads(self.files["manifest.json"])
        return manifest

    @property
    def proof(self) -> dict[str, Any]:
        """The contents of `proof.json`, which links the lines to the checkpoint."""
        proof: dict[str, Any] = json.loads(self.files["proof.json"])
        return proof

    @property
    def seqs(self) -> list[int]:
        """The numbers of its lines."""
        return [json.loads(line)["seq"] for line in self.files["entries.ndjson"].splitlines()]

    @property
    def withheld(self) -> list[int]:
        """The numbers of the lines in the range that are withheld or pruned."""
        return [row[0] for row in self.proof["withheld"]]

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a table."""
        return list(csv.DictReader(io.StringIO(self.files[name].decode("utf-8-sig"), newline="")))

    def root(self) -> bytes:
        """The root that the lines and the proof lead to."""
        proof, frontier = self.proof, Frontier()
        leaves = {json.loads(line)["seq"]: hash_leaf(line) for line in self.files["entries.ndjson"].splitlines()}
        leaves |= {row[0]: base64.b64decode(row[1]) for row in proof["withheld"]}
        for level, hash in proof["left"]:
            frontier.add(base64.b64decode(hash), level=level)
        for seq in range(proof["first"], proof["end"]):
            frontier.add(leaves.pop(seq))
        for level, hash in proof["right"]:
            frontier.add(base64.b64decode(hash), level=level)
        assert (frontier.size, leaves) == (proof["size"], {})
        return frontier.root()

    def verify(self, directory: Path, *options: str) -> str:
        """The output of the bundle's checker, run by a Python without packages."""
        folder = directory / "unpacked"
        folder.mkdir(exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        command = [sys.executable, "-I", "-S", str(folder / "verify.py"), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def unpack(content: bytes) -> Export:
    """The files of a zip."""
    with ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert all(name.startswith(FOLDER) for name in names)
        return Export({name.removeprefix(FOLDER): archive.read(name) for name in names})


def prepared(log: Log, *, identities: bool = False, asked_by: str = COMMAND_LINE, **parameters: Any) -> Bundle:
    """A bundle before it is written."""
    query = read_export_query(parameters)
    return prepare(log.ledger.store, query, sign=log.log_signer.sign, asked_by=asked_by, identities=identities)


def zipped(log: Log, *, identities: bool = False, asker: Requester | None = None, **parameters: Any) -> bytes:
    """The bytes of a bundle."""
    bundle = prepared(log, identities=identities, **parameters)
    return b"".join(hand_over(bundle, log.ledger.recorder, asker or Requester()))


def exported(log: Log, *, identities: bool = False, **parameters: Any) -> Export:
    """A bundle, unpacked; its proof leads to the signed root."""
    export = unpack(zipped(log, identities=identities, **parameters))
    size, root = export.files["checkpoint"].decode().split("\n")[1:3]
    assert export.proof["size"] == int(size)
    assert base64.b64encode(export.root()).decode() == root == export.proof["root"]
    return export
