"""An export bundle made from the description of its format, without the code that makes real bundles.

A bundle is a dict of files, so that a test can change any file; `write` adds matching SHA256SUMS, as a forger would.
"""

import hashlib
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import tagtrail.export
from tagtrail.tlog.note import Checkpoint, Signer, write_note
from tagtrail.tlog.tree import Tree

PACKAGED = Path(tagtrail.export.__file__).parent
ORIGIN = "tagtrail.example/log/1"
HOST = "registry.example:5000"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ORDER = (
    "README.txt", "verify.py", "keys.vkey", "log-key.pem", "checkpoint", "rotations", "since-checkpoint",
    "entries.ndjson", "disclosures.ndjson", "deployments.csv", "pushes.csv", "gaps.csv", "proof.json", "manifest.json",
)  # fmt: skip
PUSH_COLUMNS = (
    "image", "seq", "at", "occurred", "registry", "repository", "tag", "digest", "media_type", "size",
    "actor_assurance",
)  # fmt: skip
DEPLOYMENT_COLUMNS = (
    "image", "environment", "registry", "repository", "tag", "digest", "at", "until", "seconds", "direction", "basis",
    "release_tags", "previous_image", "change", "seq",
)  # fmt: skip

Files = dict[str, bytes]


def signer(seed: int, name: str = ORIGIN) -> Signer:
    """A key that is the same in every run."""
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


@dataclass
class Log:
    """Lines as they are stored, and each line's disclosures by the name of the commitment."""

    lines: list[bytes] = field(default_factory=list)
    documents: dict[int, dict[str, str]] = field(default_factory=dict)

    def add(self, kind: str, *, who: object = None, raw: object = None, **fields: Any) -> int:
        """Append a line, one second after the one before; returns its seq."""
        seq = len(self.lines)
        line: dict[str, Any] = {"v": 1, "seq": seq, "at": at(seq), "kind": kind, **fields}
        for name, value in (("who", who), ("raw", raw)):
            if value is not None:
                document = base64url(json.dumps([f"salt-{seq}-{name}", name, value]).encode())
                self.documents.setdefault(seq, {})[name] = document
                line[name] = base64url(hashlib.sha256(document.encode()).digest())
        self.lines.append(json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
        return seq

    def push(self, tag: str, content: str, *, repository: str = "team/app", actor: str = "alice") -> int:
        """Append a push of some content."""
        return self.add(
            "push", registry="main", host=HOST, repository=repository, tag=tag, digest=digest_of(content),
            media_type=MANIFEST, size=417, occurred=f"{at(len(self.lines))[:-1]}000Z", actor_assurance="claimed",
            who={"actor": actor, "address": "192.0.2.7:40000", "user_agent": 'docker/27 "quoted"'},
            raw={"action": "push", "target": {"tag": tag}},
        )  # fmt: skip

    def deploy(self, environment: str, tag: str, content: str) -> int:
        """Append a declared deployment."""
        return self.add(
            "deployment", registry="main", host=HOST, repository="team/app", tag=tag, digest=digest_of(content),
            environment=environment, change="OPS-17", occurred=f"{at(len(self.lines))[:-1]}000Z",
            actor_assurance="claimed", who={"actor": "dora", "address": "", "user_agent": ""},
            raw={"environment": environment, "note": "=approved by \"somebody\""},
        )  # fmt: skip

    def fields(self, seq: int) -> dict[str, Any]:
        """The values of a line."""
        fields: dict[str, Any] = json.loads(self.lines[seq])
        return fields

    @property
    def tree(self) -> Tree:
        """The tree over all lines."""
        return Tree(_Leaves([leaf(line) for line in self.lines]))

    def checkpoint(self, size: int | None = None, *signers: Signer) -> str:
        """The signed note over the first lines."""
        size = len(self.lines) if size is None else size
        return write_note(str(Checkpoint(ORIGIN, size, self.tree.root(size))), signers or (signer(1),))

    def rotation(self, size: int, old: Signer, new: Signer, *signers: Signer) -> str:
        """The rotation statement over the first lines."""
        tree = Checkpoint(ORIGIN, size, self.tree.root(size))
        return write_note(f"tagtrail/key-rotation/v1\n{tree}{old.verifier}\n{new.verifier}\n", signers or (old, new))


def rotated(log: Log, keys: dict[int, Signer]) -> Log:
    """The log with a `key` line that names the key, as the last of so many lines."""
    changed = Log([*log.lines], dict(log.documents))
    for size, key in keys.items():
        line = {"v": 1, "seq": size - 1, "at": at(size - 1), "kind": "key", "key": str(key.verifier)}
        changed.lines[size - 1] = json.dumps(line, sort_keys=True, separators=(",", ":")).encode()
        changed.documents.pop(size - 1, None)
    return changed


@dataclass
class _Leaves:
    hashes: list[bytes]

    def leaves(self, first: int, end: int) -> Iterable[bytes]:
        return self.hashes[first:end]

    def subtrees(self, level: int, first: int, end: int) -> list[bytes]:
        return []


def make_log() -> Log:
    """Forty lines with everything that a verdict mentions."""
    log = Log()
    registries: list[dict[str, Any]] = [{"name": "main", "host": None, "aliases": [], "authentication": "htpasswd"}]
    log.add("configuration", configuration={"v": 1, "registries": registries})
    log.add("started", version="0")
    log.add("registry", registry="main", host=HOST, instance="one")
    for number in range(12):
        log.push(f"1.0.{number}", f"{number}", actor="=cmd" if number == 3 else "alice")
    log.push("prod", "3")
    log.add("quarantined", registry="main", reason="no JSON", raw="what came")
    log.add("registry", registry="main", host=HOST, instance="two")
    log.deploy("staging", "1.0.4", "4")
    log.add("stopped", version="0")
    log.add("started", version="0")
    for number in range(10):
        log.push(f"2.0.{number}", f"{number}", repository="team/other", actor="bob")
    log.push("prod", "5")
    log.add("started", version="0")
    log.add("gap_opened", registry="main", reason="the registry did not answer")
    log.add("gap_closed", registry="main")
    log.push("3.0.0", "6")
    log.add("erased", lines=[[20, 24], [30, 30]], reason="a request")
    log.push("3.0.1", "7")
    log.push("prod", "7")
    return log


@dataclass(frozen=True)
class Part:
    """The part of a log that goes into a bundle; `hidden` are the lines that do not match the filter."""

    first: int = 0
    end: int | None = None
    size: int | None = None
    hidden: Collection[int] = ()
    pruned: Collection[int] = ()
    erased: Collection[int] = ()
    identities: bool = True
    filter: dict[str, str] = field(default_factory=dict)
    sample: dict[str, Any] | None = None
    since: int | None = None
    keys: Sequence[Signer] = (signer(1),)
    rotated_at: Sequence[int] = ()


def make(log: Log, part: Part | None = None) -> Files:
    """The files of the bundle, without SHA256SUMS."""
    part = part or Part()
    size = len(log.lines) if part.size is None else part.size
    end = size if part.end is None else part.end
    here = [seq for seq in range(part.first, end) if seq not in part.hidden and seq not in part.pruned]
    disclosed = {seq: log.documents.get(seq, {}) if seq not in part.erased else {} for seq in here}
    files = {name: (PACKAGED / name).read_bytes() for name in ("README.txt", "verify.py")}
    files["keys.vkey"] = "".join(f"{key.verifier}\n" for key in part.keys).encode()
    files["log-key.pem"] = public_pem(part.keys[-1])
    files["checkpoint"] = log.checkpoint(size, part.keys[-1]).encode()
    if part.rotated_at:
        pairs = zip(part.rotated_at, part.keys[:-1], part.keys[1:], strict=True)
        files["rotations"] = "".join(log.rotation(at, old, new) for at, old, new in pairs).encode()
    if part.since is not None:
        files["since-checkpoint"] = log.checkpoint(part.since, part.keys[0]).encode()
    files["entries.ndjson"] = b"".join(log.lines[seq] + b"\n" for seq in here)
    if part.identities:
        files["disclosures.ndjson"] = b"".join(
            json.dumps({"seq": seq, **disclosed[seq]}, separators=(",", ":")).encode() + b"\n"
            for seq in here
            if disclosed[seq]
        )
    files["deployments.csv"] = deployments(log, here, disclosed, identities=part.identities)
    files["pushes.csv"] = pushes(log, here, disclosed, identities=part.identities)
    gaps = find_gaps(log, part.first, end, part.pruned)
    files["gaps.csv"] = table(("registry", "from", "until", "cause", "seq", "explanation"), gaps)
    files["proof.json"] = prove(log, part, size, end, here)
    files["manifest.json"] = describe(log, part, size, end, here, gaps=len(gaps))
    return files


def write(files: Files, folder: Path) -> Path:
    """The bundle as a folder, with SHA256SUMS."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    names = [name for name in ORDER if name in files] + sorted(set(files) - set(ORDER))
    sums = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in names)
    (folder / "SHA256SUMS").write_text(sums)
    return folder


def prove(log: Log, part: Part, size: int, end: int, here: Collection[int]) -> bytes:
    tree = log.tree
    since = None
    if part.since is not None:
        since = {
            "size": part.since,
            "proof": [base64(hash) for hash in tree.prove_consistency(part.since, size)],
        }
    left, right = (
        json.dumps([[node.level, base64(node.hash)] for node in tree.cover(*side)], separators=(",", ":"))
        for side in ((0, part.first), (end, size))
    )
    included = frozenset(here)
    withheld = ",\n".join(
        json.dumps([seq, base64(leaf(log.lines[seq]))] + ["pruned"] * (seq in part.pruned), separators=(",", ":"))
        for seq in range(part.first, end)
        if seq not in included
    )
    head = f'{{"origin":"{ORIGIN}","size":{size},"root":"{base64(tree.root(size))}","first":{part.first},"end":{end},'
    parts = (f'"left":{left},', f'"right":{right},', f'"since":{json.dumps(since)},', '"withheld":[')
    return ("\n".join((head, *parts)) + "\n" + (f"{withheld}\n" if withheld else "") + "]}\n").encode()


def describe(log: Log, part: Part, size: int, end: int, here: Sequence[int], *, gaps: int) -> bytes:
    pruned = [seq for seq in range(part.first, end) if seq in part.pruned]
    document = {
        "format": 1, "tool": "tagtrail 0", "asked_by": "the command line", "as_of": at(size - 1), "origin": ORIGIN,
        "size": size, "first": part.first, "end": end, "filter": part.filter, "identities": part.identities,
        "lines": len(here), "kinds": Counter(log.fields(seq)["kind"] for seq in here),
        "withheld": end - part.first - len(here) - len(pruned), "pruned": len(pruned), "gaps": gaps,
        "coverage": [
            {"registry": "main", "from": at(0), "until": at(size - 1), "coverage": "REPORTED-ONLY", "means": "..."}
        ],
        "sample": part.sample,
    }  # fmt: skip
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


def draw(population: Iterable[int], count: int, seed: str) -> list[int]:
    """The lines of a sample."""
    return sorted(sorted(population, key=lambda seq: hashlib.sha256(f"{seed}{seq}".encode()).hexdigest())[:count])


def pushes(log: Log, here: Iterable[int], disclosed: dict[int, dict[str, str]], *, identities: bool) -> bytes:
    rows = []
    for seq in here:
        line = log.fields(seq)
        if line["kind"] == "push":
            who = opened(disclosed[seq], "who")
            persons = [who.get(name, "") for name in ("actor", "address", "user_agent")] if identities else []
            rows.append([image(line), *(str(line.get(name, "")) for name in PUSH_COLUMNS[1:]), *persons])
    return table(PUSH_COLUMNS + (("actor", "address", "user_agent") if identities else ()), rows)


def deployments(log: Log, here: Iterable[int], disclosed: dict[int, dict[str, str]], *, identities: bool) -> bytes:
    rows = []
    for seq in here:
        line = log.fields(seq)
        environment = "production" if line.get("tag") == "prod" else line.get("environment")
        if environment is not None:
            basis = "declared" if line["kind"] == "deployment" else "reported"
            known = {"image": image(line), "environment": environment, "at": line["occurred"], "basis": basis}
            persons = [opened(disclosed[seq], "who").get("actor", "")] if identities else []
            persons += (
                [opened(disclosed[seq], "raw").get("note", "") if basis == "declared" else ""] if identities else []
            )
            rows.append([*(str((line | known).get(name, "")) for name in DEPLOYMENT_COLUMNS), *persons])
    return table(DEPLOYMENT_COLUMNS + (("actor", "note") if identities else ()), rows)


def find_gaps(log: Log, first: int, end: int, pruned: Collection[int]) -> list[list[str]]:
    """The rows of gaps.csv; lines before the range count too, unless they were pruned."""
    rows: list[list[str]] = []
    life: dict[str, Any] | None = None
    heard: dict[str, dict[str, Any]] = {}
    opened: dict[str, list[str]] = {}
    for line in (log.fields(seq) for seq in range(end) if seq not in pruned):
        kind, seq, registry = line["kind"], line["seq"], line.get("registry", "")
        row: list[str] | None = None
        if kind == "started" and life is not None:
            was_stopped = life["kind"] == "stopped"
            row = ["", life["at"] if was_stopped else at(seq - 1), line["at"], "stopped" if was_stopped else "ended"]
        elif kind == "registry" and registry in heard:
            row = [registry, heard[registry]["at"], line["at"], "restarted"]
        elif kind == "quarantined":
            row = [registry, line["at"], line["at"], "quarantined"]
        elif kind == "gap_opened":
            row = opened[registry] = [registry, line["at"], "", "gap"]
        elif kind == "gap_closed":
            opened.pop(registry)[2] = line["at"]
        life = line if kind in ("started", "stopped") else life
        if registry:
            heard[registry] = line
        if row is not None and seq >= first:
            rows.append(row)
            row += [str(seq), "..."]
    return rows


def image(line: dict[str, Any]) -> str:
    return f"{line['host']}/{line['repository']}:{line['tag']}@{line['digest']}"


def opened(documents: dict[str, str], name: str) -> dict[str, str]:
    """The value in a disclosed document."""
    if name not in documents:
        return {}
    value: dict[str, str] = json.loads(urlsafe_b64decode(documents[name] + "=="))[2]
    return value


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """CSV for a spreadsheet, without formulas."""

    def cell(text: str) -> str:
        harmless = f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
        return '"' + harmless.replace('"', '""') + '"'

    return b"\xef\xbb\xbf" + "".join(",".join(map(cell, row)) + "\r\n" for row in (columns, *rows)).encode()


def public_pem(key: Signer) -> bytes:
    """The public key as openssl reads it."""
    return key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def at(seq: int) -> str:
    """The time of a line."""
    return f"2026-04-20T12:{seq // 60:02d}:{seq % 60:02d}.000000Z"


def digest_of(content: str) -> str:
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


def leaf(line: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + line).digest()


def base64(content: bytes) -> str:
    return b64encode(content).decode()


def base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
