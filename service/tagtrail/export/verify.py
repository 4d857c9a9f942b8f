"""Checks an export of a tagtrail audit trail offline, and prints in plain words what it proves and what it does not.

    python3 -I verify.py [FOLDER] [--key KEY] [--checkpoint FILE]

Needs Python 3.8 or newer and nothing else; changes nothing, connects to nothing. Exit code 0: verified. 1: not
verified, with the reason. 2: wrong arguments. A forger of an export can forge the checker in it too: take this file
from a source that you trust, or read it.

The claim: these are lines of a log, each in its place; the log's key has signed the number of lines and a hash over all
lines; no line in the range is left out except those listed by number. Read in this order: `check`, the whole check;
part 1, the proof of the claim; part 2, the tables and disclosures beside the lines; part 3, the words of the verdict.
Part 1 alone proves the lines, which are the evidence.
"""

import sys

if __name__ == "__main__" and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    del sys.path[0]  # this folder: Python must not run a file json.py in it

import argparse
import base64
import csv
import hashlib
import heapq
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

OPTIONAL = {"rotations", "since-checkpoint", "disclosures.ndjson"}
FILES = {"README.txt", "verify.py", "keys.vkey", "log-key.pem", "checkpoint", "entries.ndjson", "deployments.csv"}
FILES |= {"pushes.csv", "gaps.csv", "proof.json", "manifest.json"} | OPTIONAL
LONGEST_TEXT = 1 << 20  # bytes of a small file, which is read whole
LONGEST_MANIFEST = 1 << 28  # bytes: it may list the lines of a sample


class NotVerified(Exception):
    """A check failed; the message says what and where."""


def need(condition: object, otherwise: str) -> None:
    """Stop the check unless the condition holds."""
    if not condition:
        raise NotVerified(otherwise)


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks an export of a tagtrail audit trail, offline.")
    here = Path(__file__).resolve().parent
    parser.add_argument("folder", nargs="?", type=Path, default=here, help="the unpacked export; default: this folder")
    parser.add_argument("--key", help="the log's key (NAME+ID+KEY, or a file with it), received by another channel")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint of this log that you kept")
    folder, key, kept = (options := vars(parser.parse_args()))["folder"], options["key"], options["checkpoint"]
    if not folder.is_dir():
        parser.error(f"{folder} is no folder; unpack the zip first")
    if kept is not None and not kept.is_file():
        parser.error(f"{kept} is no file")
    if key is not None and "+" not in key and not Path(key).is_file():
        parser.error(f"{key} is neither a key nor a file with one")
    try:
        verdict, code = check(folder, key, kept), 0
    except NotVerified as doubt:
        verdict, code = [f"NOT VERIFIED: {doubt}"], 1
    except (Exception, KeyboardInterrupt) as error:  # an unforeseen error is a doubt too, never a pass
        verdict, code = [f"NOT VERIFIED: the check could not be finished, {type(error).__name__}: {error}"], 1
    for line in verdict:  # text from outside must not control the terminal
        print(re.sub("[^ -~]", lambda match: ascii(match[0])[1:-1], line[:4_000]))
    return code


def check(folder: Path, given_key: Optional[str], kept: Optional[Path]) -> List[str]:
    """All checks, in order; returns the verdict. Raises NotVerified at the first doubt."""
    sums = check_names(folder)
    with ThreadPoolExecutor(1) as other_thread:  # hashes the files while this thread reads them
        hashing = other_thread.submit(check_sums, folder, sums)
        try:
            keys = check_keys(folder)
            checkpoint = open_checkpoint(read_text(folder / "checkpoint"), "checkpoint", keys, keys[-1:])
            rotations = check_rotations(folder, keys, checkpoint)
            trust = check_given_key(given_key, keys, rotations)
            manifest = json.loads(read_text(folder / "manifest.json", LONGEST_MANIFEST))
            proof = Proof(folder / "proof.json")
            check_range(manifest, proof, checkpoint)
            growth = check_growth(folder, proof, checkpoint, keys, kept)
            views = Views(folder, proof, manifest)
            key_lines: Dict[int, Tuple[bytes, Any]] = {}
            for entry in prove_lines(folder / "entries.ndjson", proof, checkpoint, key_lines):
                views.check(entry)
            check_key_lines(key_lines, keys, rotations, proof)
            views.finish()
            check_manifest(manifest, proof, views)
        finally:
            hashing.result()  # a changed file is reported before errors in it
    return [*trust, "", *describe(manifest, proof, views), *growth, "", *NOT_SHOWN]


# ---- Part 1, the proof: the lines --------------------------------------------------------------------------------


class Tree:
    """The right edge of a tree of RFC 6962, section 2.1, which grows from left to right."""

    def __init__(self) -> None:
        self.size = 0
        self.edge: List[bytes] = []  # full subtrees, the largest first: one for each bit that is set in the size

    def add(self, hash: bytes, level: int = 0) -> None:
        """Append the hash of the next 2^level lines."""
        size = self.size
        if level and size & ((1 << level) - 1):
            raise NotVerified(f"proof.json: a subtree of 2^{level} lines cannot stand after {size} lines")
        self.size = size + (1 << level)
        size >>= level
        while size & 1:
            hash = hashlib.sha256(b"\x01" + self.edge.pop() + hash).digest()
            size >>= 1
        self.edge.append(hash)

    def root(self) -> bytes:
        root = self.edge[-1] if self.edge else hashlib.sha256().digest()
        for hash in reversed(self.edge[:-1]):
            root = hash_node(hash, root)
        return root


def hash_node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def prove_lines(
    path: Path, proof: "Proof", checkpoint: "Checkpoint", key_lines: Dict[int, Tuple[bytes, Any]]
) -> Iterator[Dict[str, Any]]:
    """Yield each line once its place is known. After the last, lines and withheld hashes have given the signed root;
    nothing is proved before. `key_lines` gets the root of the tree that ends with each `key` line, and the line's key.
    """
    tree, parse = Tree(), json.JSONDecoder().raw_decode
    for level, hash in proof.left:
        tree.add(hash, level)
    need(tree.size == proof.first, f"proof.json: there are {tree.size} lines left of a range from {proof.first}")
    withheld = proof.withheld
    for number, line in enumerate(read_lines(path), 1):
        text = line.decode()
        entry, end = parse(text)
        if text[end:] != "\n":
            raise NotVerified(f"entries.ndjson line {number} is cut off, or goes on after its end")
        while withheld.seq == tree.size:
            tree.add(withheld.take())
        if entry["seq"] != tree.size:
            refuse_place(tree.size, entry["seq"], f"; entries.ndjson line {number} is line {entry['seq']}", withheld)
        tree.add(hashlib.sha256(b"\x00" + line[:-1]).digest())
        if entry.get("kind") == "key":
            key_lines[tree.size] = (tree.root(), entry.get("key"))
        yield entry
    while withheld.seq == tree.size:
        tree.add(withheld.take())
    if tree.size != proof.end or withheld.seq >= 0:
        refuse_place(tree.size, tree.size, "", withheld)
    for level, hash in proof.right:
        tree.add(hash, level)
    need(
        (tree.size, tree.root()) == (checkpoint.size, checkpoint.root),
        f"these are not the lines that were signed: the {tree.size} lines of this export give another root than the"
        f" {checkpoint.size} of its checkpoint, so a line or a hash was changed, put in or left out",
    )


def refuse_place(seq: int, here: int, place: str, withheld: "Rows") -> None:
    """Line `seq` should come next, but neither entries.ndjson nor proof.json has it there."""
    need(here >= seq, f"line {here} is here twice, or withheld too, or out of order{place}")
    is_behind = 0 <= withheld.seq < seq
    need(not is_behind, f"proof.json: line {withheld.seq} is withheld twice, or out of order, or is here too")
    raise NotVerified(f"line {seq} is missing: neither in entries.ndjson nor withheld in proof.json{place}")


END: Tuple[int, Any] = (-1, None)


class Rows:
    """The rows of a file about the lines, in order; `seq` is the line of the next row, -1 at the end."""

    def __init__(self, rows: Iterator[Tuple[int, Any]]) -> None:
        self.rows = rows
        self.seq, self.row = next(rows, END)

    def take(self) -> Any:
        row = self.row
        self.seq, self.row = next(self.rows, END)
        return row


class Proof:
    """proof.json: the range of the log, the hashes of the tree left and right, and the withheld lines."""

    def __init__(self, path: Path) -> None:
        lines = read_lines(path)
        head = json.loads(b"".join(islice(lines, 5)) + b"]}")  # a line for each withheld line follows
        self.checkpoint = Checkpoint(head["origin"], whole(head["size"]), read_hash(head["root"], "proof.json"))
        self.first, self.end, self.since = whole(head["first"]), whole(head["end"]), head["since"]
        self.left, self.right = (
            [(min(whole(level), 64), read_hash(hash, "proof.json")) for level, hash in head[side]]
            for side in ("left", "right")
        )
        self.marks = bytearray()  # a byte for each line of the range: w is withheld, p withheld because pruned
        self.withheld = Rows(self._read_withheld(lines))

    def _read_withheld(self, lines: Iterator[bytes]) -> Iterator[Tuple[int, bytes]]:
        for line in lines:
            if line == b"]}\n":
                need(next(lines, None) is None, "proof.json goes on after its end")
                return
            seq, hash, *pruned = json.loads(line.rstrip(b",\n"))
            need(pruned in ([], ["pruned"]), f"proof.json: line {seq} is no withheld line")
            place = whole(seq) - self.first
            if len(self.marks) <= place < self.end - self.first:  # a line that is not the next is refused later
                self.marks += b"." * (place - len(self.marks)) + (b"p" if pruned else b"w")
            yield seq, read_hash(hash, "proof.json")
        raise NotVerified("proof.json ends too early")


# ---- Part 1, the proof: the checkpoint, which is the log's name, its number of lines and their root, signed ---------


class Checkpoint(NamedTuple):
    """https://c2sp.org/tlog-checkpoint"""

    origin: str
    size: int
    root: bytes


def open_checkpoint(note: str, where: str, keys: "List[Key]", signers: "List[Key]") -> Checkpoint:
    """Verify that all signers signed it (any of the keys, if none is named) and that no key's signature is false.

    https://c2sp.org/signed-note: a text, an empty line, then lines of an em dash, a name, and in Base64 four bytes of
    key id and the signature. Unknown keys (a witness's) are ignored.
    """
    check_signatures(note, where, keys, signers)
    return read_tree((note.rpartition("\n\n")[0].split("\n") + ["", ""])[:3], where, keys[-1].name)


def check_signatures(note: str, where: str, keys: "List[Key]", signers: "List[Key]") -> None:
    text, _, below = note.rpartition("\n\n")
    signed = []
    for line in below.split("\n")[:-1]:
        dash, name, encoded = (line.split(" ") + ["", ""])[:3]
        signature = unbase64(encoded, where)
        need(dash == "\u2014" and name and len(signature) > 4, f"{where} is no signed note")
        for key in keys:
            if (key.name, key.id) == (name, signature[:4]):
                valid = is_signed(key.public, text.encode() + b"\n", signature[4:])
                need(valid, f"{where}: the signature of {key} is false: the text was changed, or it was never signed")
                signed.append(key)
    need(signed, f"{where} is not signed by a key of keys.vkey")
    for key in signers:
        need(key in signed, f"{where} is not signed by {key}")


def read_tree(lines: List[str], where: str, name: str) -> Checkpoint:
    origin, size, root = lines
    is_right = origin == name and re.fullmatch("0|[1-9][0-9]{0,17}", size)
    need(is_right, f"{where} is no checkpoint of the log {name}")
    return Checkpoint(origin, int(size), read_hash(root, where))


def check_growth(
    folder: Path, proof: Proof, checkpoint: Checkpoint, keys: "List[Key]", kept: Optional[Path]
) -> List[str]:
    """Verify that the log has only grown since a checkpoint that the auditor kept."""
    path, known = folder / "since-checkpoint", [checkpoint]
    need(path.exists() == bool(proof.since), "since-checkpoint is here without its proof in proof.json, or the reverse")
    if proof.since:
        since = open_checkpoint(read_text(path), path.name, keys, [])
        hashes = iter([read_hash(hash, "proof.json") for hash in proof.since["proof"]])
        is_grown = since.size == proof.since["size"] <= checkpoint.size and (
            not since.size or grow(since.size, checkpoint.size, since.root, hashes) == (since.root, checkpoint.root)
        )
        otherwise = f"this log has not grown from since-checkpoint: its first {since.size} lines are not those of then"
        need(is_grown and next(hashes, None) is None, otherwise)
        known.append(since)
    if kept is None:
        return [
            f"Earlier:       grown from the {one.size} lines of since-checkpoint; is that yours?" for one in known[1:]
        ]
    mine = open_checkpoint(read_text(kept), kept.name, keys, [])
    is_fork = any(mine.size == other.size and mine.root != other.root for other in known)
    need(not is_fork, f"your checkpoint and this export disagree on the first {mine.size} lines: history was changed")
    need(mine in known, f"nothing ties this export to your checkpoint of {mine.size} lines; ask for one")
    return [f"Earlier:       grown from your own checkpoint: its {mine.size} lines are still the same"]


def grow(old: int, new: int, root: Optional[bytes], proof: Iterator[bytes]) -> Tuple[bytes, bytes]:
    """The roots of the first `old` and of all `new` lines that the proof leads to: RFC 6962, section 2.1.2."""
    if old == new:
        same = next(proof, b"") if root is None else root
        return same, same
    half = 1 << (new - 1).bit_length() - 1  # the largest power of two below `new`
    if old <= half:
        old_root, left = grow(old, half, root, proof)
        return old_root, hash_node(left, next(proof, b""))
    old_right, right = grow(old - half, new - half, None, proof)
    left = next(proof, b"")
    return hash_node(left, old_right), hash_node(left, right)


# ---- Part 1, the proof: the keys, each new one introduced by a statement that the old and the new one signed -------

ROTATION = "tagtrail/key-rotation/v1"
RESERVED = ("tagtrail/key-rotation", "tagtrail/new-epoch")  # no log's name begins so: no checkpoint is a statement
DER = bytes.fromhex("302a300506032b6570032100")  # the bytes before an Ed25519 key in a PEM file: RFC 8410, section 4


class Key(NamedTuple):
    """An Ed25519 verifier key: https://c2sp.org/signed-note, "Verifier keys"."""

    name: str
    id: bytes
    public: bytes

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([1]) + self.public).decode()}"


def read_key(text: str, where: str) -> Key:
    name, _, rest = text.partition("+")
    public = unbase64(rest.partition("+")[2], where)[1:]
    key = Key(name, hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4], public)
    is_key = len(public) == 32 and str(key) == text and not name.startswith(RESERVED)
    need(is_key, f"{where} is no Ed25519 verifier key (NAME+ID+KEY)")
    return key


def check_keys(folder: Path) -> List[Key]:
    """The log's keys, oldest first."""
    lines = read_text(folder / "keys.vkey").split("\n")[:-1]
    keys = [read_key(line, f"keys.vkey line {number}") for number, line in enumerate(lines, 1)]
    pem = "".join(read_text(folder / "log-key.pem").split("\n")[1:-2])
    need(unbase64(pem, "log-key.pem") == DER + keys[-1].public, "log-key.pem is not the newest key of keys.vkey")
    need(keys and len(set(keys)) == len(keys), "keys.vkey names no key, or one twice")
    need(len({key.name for key in keys}) == 1, "keys.vkey has keys of different logs")
    return keys


def check_rotations(folder: Path, keys: List[Key], checkpoint: Checkpoint) -> Dict[Key, Checkpoint]:
    """The tree of each rotation statement, by the new key.

    The text of a statement is, line by line: its kind, the origin, the size and the root of the tree that ends with the
    `key` line, the old key, the new key. Both keys sign it. A checkpoint cannot hand over, because it names no key.
    """
    text = read_text(folder / "rotations") if (folder / "rotations").exists() else ""
    *notes, rest = re.sub("(\n\u2014 [^\n]*\n)(?!\u2014)", "\\1\0", text).split("\0")
    need(not rest, "rotations goes on after its last note")
    pairs, rotations, size = dict(zip(map(str, keys[1:]), zip(keys, keys[1:]))), {}, 0  # noqa: RUF007
    for number, note in enumerate(notes, 1):
        where = f"rotations, note {number}"
        kind, *lines = note.partition("\n\n")[0].split("\n")
        need(kind == ROTATION, f"{where} is no rotation statement, so it hands over to no key")
        need(len(lines) == 5 and lines[4] in pairs, f"{where} does not name a newer key of keys.vkey")
        old, new = pairs.pop(lines[4])
        need(lines[3] == str(old), f"{where} does not name the key that keys.vkey has before {new}")
        check_signatures(note, where, keys, [old, new])
        tree = read_tree(lines[:3], where, old.name)
        need(size < tree.size <= checkpoint.size, f"{where}: its size {tree.size} does not fit the notes around it")
        is_same = tree.size < checkpoint.size or tree == checkpoint
        need(is_same, f"{where} and the checkpoint disagree on the first {tree.size} lines")
        rotations[new], size = tree, tree.size
    return rotations


def check_key_lines(
    key_lines: Dict[int, Tuple[bytes, Any]], keys: List[Key], rotations: Dict[Key, Checkpoint], proof: Proof
) -> None:
    """Verify each rotation's root and `key` line where the line is in this export."""
    for size, (_, named) in key_lines.items():
        is_listed = named in map(str, keys)
        need(is_listed, f"line {size - 1} introduces the key {named}, which keys.vkey does not list")
    for key, tree in rotations.items():
        place = tree.size - 1 - proof.first
        is_here = 0 <= place < proof.end - proof.first and bytes(proof.marks[place : place + 1]) not in (b"w", b"p")
        if is_here:
            is_right = key_lines.get(tree.size) == (tree.root, str(key))
            otherwise = f"line {tree.size - 1} does not introduce {key}, or the lines before it have another root,"
            need(is_right, f"{otherwise} against the statement in rotations")


def check_given_key(given: Optional[str], keys: List[Key], rotations: Dict[Key, Checkpoint]) -> List[str]:
    """Verify that the auditor's key is one of the log's; the rotations lead from it to the newest."""
    unproved = [
        f"Not proved: that {old} handed over to {new}. No statement in rotations says so."
        for old, new in zip(keys, keys[1:])  # noqa: RUF007 - Python 3.8 has no pairwise
        if new not in rotations
    ]
    if given is None:
        return [
            "VERIFIED, but only against the key that is in this export itself.",
            "You gave no --key, and the maker of this export could have put another key in it. Compare this key",
            "with the one that the operator gave you by another channel, or better: run again with --key and that one.",
            f"  {keys[-1]}",
            f"  SHA-256 {hashlib.sha256(DER + keys[-1].public).hexdigest()}",
            "  (of log-key.pem: openssl pkey -pubin -in log-key.pem -outform DER | sha256sum)",
            *unproved,
        ]
    key = read_key(read_text(Path(given)).strip() if Path(given).is_file() else given, "the key that you gave")
    need(key in keys, f"this export is signed by another key than the one that you gave, by {keys[-1]}")
    later = keys[keys.index(key) + 1 :]
    for new in later:
        need(
            new in rotations,
            f"nothing proves that your key handed over to {new}: rotations has no statement for it. An export of a log"
            " whose key was changed by an older tagtrail has none; then ask for the newer key by another channel",
        )
    changes = len(later)
    led = f" {changes} later change(s) of key lead from it to {keys[-1]}, each signed by the old key." * bool(changes)
    return [f"VERIFIED with the key that you gave.{led}", *unproved]


# ---- Part 1, the proof: Ed25519, RFC 8032, section 5.1, in plain numbers ------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = Tuple[int, int, int, int]  # extended coordinates (X, Y, Z, T), section 5.1.4: x = X/Z, y = Y/Z, x * y = T/Z


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Section 5.1.7, strictly: only the canonical encodings of the key, R and S are accepted."""
    key, number = decode_point(public), int.from_bytes(signature[32:], "little")
    if key is None or len(signature) != 64 or number >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little")
    # S * B = R + k * A, solved for R, whose encoding must match
    x, y, z, _ = add(multiply(number, BASE), multiply(ORDER - challenge % ORDER, key))
    inverse = pow(z, P - 2, P)
    return (y * inverse % P | (x * inverse % P & 1) << 255).to_bytes(32, "little") == signature[:32]


def decode_point(encoded: bytes) -> Optional[Point]:
    """Section 5.1.3; None if it is no point or not canonically encoded."""
    y, sign = int.from_bytes(encoded, "little") & ((1 << 255) - 1), encoded[-1] >> 7 if encoded else 0
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if len(encoded) != 32 or y >= P or x * x % P != square or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


def add(one: Point, other: Point) -> Point:
    """Section 5.1.4."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = one, other
    a, b, c, d = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2), 2 * t1 * t2 * D, 2 * z1 * z2
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(number: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = add(total, point)
        point, number = add(point, point), number >> 1
    return total


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")) or (0, 1, 1, 0)

# ---- Part 1, the proof: the files are those of SHA256SUMS, and no others; how they are read ------------------------


def check_names(folder: Path) -> Dict[str, str]:
    """The hash of each file. `sha256sum -c` ignores files that are not listed."""
    there = {item.name: item for item in os.scandir(folder)}
    for name, item in there.items():
        need(item.is_file(follow_symlinks=False), f"{name} is not a plain file")
    need(there.pop("SHA256SUMS", None), "there is no SHA256SUMS here; is this the folder tagtrail-export of an export?")
    sums: Dict[str, str] = {}
    for number, line in enumerate(read_text(folder / "SHA256SUMS").split("\n")[:-1], 1):
        hash, _, name = line.partition("  ")
        need(name in FILES and name not in sums, f"SHA256SUMS line {number} names no file of an export, or one twice")
        sums[name] = hash
    for name in sorted(there):
        need(name in sums, f"{name} is not listed in SHA256SUMS; if it is yours, move it out")
    for name in sorted(FILES - OPTIONAL | set(sums)):
        need(name in sums and name in there, f"{name} is missing")
    return sums


def check_sums(folder: Path, sums: Dict[str, str]) -> None:
    for name in sorted(sums):
        digest = hashlib.sha256()
        with (folder / name).open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
        need(digest.hexdigest() == sums[name], f"{name} was changed: SHA256SUMS has another hash for it")


def read_lines(path: Path) -> Iterator[bytes]:
    """Each line with its line feed, one at a time, so that a long file takes no more memory."""
    with path.open("rb") as file:
        yield from file


def read_text(path: Path, longest: int = LONGEST_TEXT) -> str:
    with path.open("rb") as file:
        content = file.read(longest + 1)
    need(len(content) <= longest, f"{path.name} is longer than {longest} bytes")
    return content.decode()


def whole(number: Any) -> int:
    """A number of lines in JSON."""
    need(type(number) is int and 0 <= number < 1 << 60, f"{str(number)[:40]} stands where a number of lines must stand")
    return int(number)


def read_hash(text: str, where: str) -> bytes:
    hash = unbase64(text, where)
    need(len(hash) == 32, f"{where} has something that is no SHA-256 hash")
    return hash


def unbase64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise NotVerified(f"{where} has something that is no Base64") from None


# ---- Part 2, the views: tables and disclosures about the lines ---------------------------------------------

PUSHES = '"image","seq","at","occurred","registry","repository","tag","digest",'
DEPLOYMENTS = "image,environment,registry,repository,tag,digest,at,"
GAPS = "registry,from,until,cause,seq,explanation"
WRONG_ROW = "the row of line {} is missing, or says something else than the line"
FORMULA = "the row of line {} has a cell that a spreadsheet would take for a formula; do not open this table"
FORMULAS = frozenset("=+-@\t\r")  # a formula begins with one of these
BEGINS_FORMULA = re.compile(',"[-=+@\t\r]')


class Views:
    """The tables and disclosures, compared with each line in turn; and counts of the lines."""

    def __init__(self, folder: Path, proof: Proof, manifest: Any) -> None:
        self.proof, self.first_at, self.last_at = proof, "", ""
        self.kinds: Dict[str, int] = {}
        self.here: Optional[List[int]] = [] if manifest["sample"] else None  # drawn lines
        self.erased: List[List[int]] = []
        self.pruned: List[List[int]] = []
        self.unexplained = bytearray()  # like the marks of the proof, without lines that a `pruned` line explains
        self.raw_before = 0  # events as received of earlier lines were pruned
        self.gaps: List[str] = []
        path = folder / "disclosures.ndjson"
        need(path.exists() is manifest["identities"], "disclosures.ndjson is here, or not, against manifest.json")
        size = proof.end - proof.first if path.exists() else 0
        self.missing = {name: bytearray(b"." * size) for name in ("who", "raw") if path.exists()}  # ?: not disclosed
        self.disclosures = Rows((row["seq"], row) for row in map(json.loads, read_lines(path) if path.exists() else ()))
        self.deployments = read_table(folder / "deployments.csv", DEPLOYMENTS)
        self.gap_rows = read_table(folder / "gaps.csv", GAPS)
        self.pushes = read_rows(folder / "pushes.csv")
        need(next(self.pushes, "").startswith(PUSHES), "pushes.csv begins with other columns")

    def check(self, entry: Dict[str, Any]) -> None:
        seq, at, kind = entry["seq"], entry["at"], entry["kind"]
        if not self.last_at < at:  # 2026-04-20T12:00:00.000000Z: as texts they sort as times do
            number = sum(self.kinds.values()) + 1
            raise NotVerified(f"entries.ndjson line {number}: its time {at} does not come after {self.last_at}")
        self.first_at, self.last_at = self.first_at or at, at
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind == "push":
            self.check_push(entry)
        if self.deployments.seq == seq or kind == "deployment":
            self.check_deployments(entry)
        while self.gap_rows.seq == seq:
            row = self.gap_rows.take()
            registry, since, until, cause, _, explanation = row
            need_no_formula("gaps.csv", row, seq)
            who = f", registry {registry}" * bool(registry)
            self.gaps.append(f"  {since} to {until or '(still)'}, line {seq}{who}: {cause}: {explanation}")
        if self.missing:
            self.check_disclosures(entry)
        if kind != "push" and "repository" not in entry:
            self.erased += entry.get("lines", []) if kind == "erased" else []
            if kind == "pruned" and entry.get("format") == "raw":
                self.raw_before = max(self.raw_before, entry["before"])
            elif kind == "pruned":  # too many ranges for one line: it has none
                self.pruned += entry.get("lines") or [[0, entry["before"] - 1]]
        elif self.here is not None:
            self.here.append(seq)

    def check_push(self, entry: Dict[str, Any]) -> None:
        """The next row must match the line; no cell contains the quotes that separate cells."""
        seq, tag, digest = entry["seq"], entry.get("tag", ""), entry["digest"]
        expected = f'{image_of(entry)}","{seq}","{entry["at"]}","{entry["occurred"]}","{entry["registry"]}"'
        row = next(self.pushes, "")
        while self.missing and row.count('"') % 2:  # a user agent may have several lines
            row += next(self.pushes, '"')
        before, _, after = row.partition(f'{expected},"{entry["repository"]}","{tag}","{digest}","')
        if not after or '"' in before[1:]:
            raise NotVerified(f"pushes.csv: {WRONG_ROW.format(seq)}")
        if before[1:2] in FORMULAS or after[0] in FORMULAS or BEGINS_FORMULA.search(after):
            raise NotVerified(f"pushes.csv: {FORMULA.format(seq)}")

    def check_deployments(self, entry: Dict[str, Any]) -> None:
        """Each row must match the line; a declared deployment has exactly one, of its environment."""
        rows = []
        while self.deployments.seq == entry["seq"]:
            rows.append(self.deployments.take())
        own = [entry.get(name, "") for name in ("registry", "repository", "tag", "digest", "occurred")]
        is_right = all(row[0].endswith(image_of(entry)) and row[2:7] == own for row in rows)
        if entry["kind"] == "deployment":
            is_right = is_right and [row[1] for row in rows] == [entry["environment"]]
        need(is_right, f"deployments.csv: {WRONG_ROW.format(entry['seq'])}")
        for row in rows:
            need_no_formula("deployments.csv", row, entry["seq"])

    def check_disclosures(self, entry: Dict[str, Any]) -> None:
        """Compare the line's disclosures with its hash of each document: RFC 9901, section 4.2.3."""
        seq = entry["seq"]
        documents = self.disclosures.take() if self.disclosures.seq == seq else {}
        for name, marks in self.missing.items():
            document, hash = documents.get(name), entry.get(name)
            if document is None and hash is not None:
                marks[seq - self.proof.first] = ord("?")
            elif document is not None and hash != base64url(hashlib.sha256(document.encode()).digest()):
                raise NotVerified(f"disclosures.ndjson: {name!r} of line {seq} is not what that line was written with")

    def finish(self) -> None:
        """Verify that no row is left over, and find out why documents are missing."""
        need(not next(self.pushes, ""), "pushes.csv has a row too many, or one out of order")
        tables = (("deployments.csv", self.deployments), ("gaps.csv", self.gap_rows))
        for name, rows in (*tables, ("disclosures.ndjson", self.disclosures)):
            need(rows.row is None, f"{name} has a row of line {rows.seq}, which is not here, or twice, or out of order")
        first, self.unexplained = self.proof.first, self.proof.marks[:]
        for low, high in self.pruned:
            part = slice(max(low - first, 0), max(high + 1 - first, 0))
            self.unexplained[part] = self.unexplained[part].replace(b"p", b".")
        for name, marks in self.missing.items():
            gone = [(low, high + 1, b"e") for low, high in self.erased] + [(0, self.raw_before, b"p")] * (name == "raw")
            for low, end, mark in gone:
                part = slice(max(low - first, 0), max(end - first, 0))
                marks[part] = marks[part].replace(b"?", mark)


def image_of(entry: Dict[str, Any]) -> str:
    tag = f":{entry['tag']}" if "tag" in entry else ""
    return f"{entry['repository']}{tag}@{entry['digest']}" if "digest" in entry else f"{entry['repository']}{tag}"


def need_no_formula(name: str, row: List[str], seq: int) -> None:
    need(FORMULAS.isdisjoint(cell[:1] for cell in row), f"{name}: {FORMULA.format(seq)}")


def read_rows(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:  # a lone CR ends a row too, as in a spreadsheet
        yield from file


def read_table(path: Path, columns: str) -> Rows:
    rows = csv.reader(read_rows(path), strict=True)
    names = next(rows, [])
    need(",".join(names).startswith(columns), f"{path.name} begins with other columns")
    return Rows((int(row[names.index("seq")]), row) for row in rows)


def base64url(content: bytes) -> str:
    """RFC 4648, section 5, without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def check_range(manifest: Any, proof: Proof, checkpoint: Checkpoint) -> None:
    """Verify that manifest.json, proof.json and the checkpoint agree about log and range, and that the range fits."""
    is_known = manifest["format"] == 1
    need(is_known, "manifest.json: this is no export of format 1; take the verify.py of a newer tagtrail")
    need(proof.checkpoint == checkpoint, "proof.json is of another log, size or root than the signed checkpoint")
    stated = (manifest["origin"], manifest["size"], manifest["first"], manifest["end"])
    is_same = stated == (*checkpoint[:2], proof.first, proof.end)
    need(is_same, "manifest.json and proof.json are of different ranges")
    need(proof.first <= proof.end <= checkpoint.size, "proof.json: its range goes beyond the log")
    query = manifest["filter"]
    is_whole = (proof.first == 0 or "since" in query) and (proof.end == checkpoint.size or "until" in query)
    need(is_whole, "lines at an end of the log are left out, but the query in manifest.json has no such limit")


def check_manifest(manifest: Any, proof: Proof, views: Views) -> None:
    counted: Dict[str, Any] = {"lines": sum(views.kinds.values()), "kinds": views.kinds, "gaps": len(views.gaps)}
    counted.update(withheld=proof.marks.count(b"w"), pruned=proof.marks.count(b"p"))
    for name, count in counted.items():
        is_right = manifest[name] == count
        need(is_right, f"manifest.json has {name}: {json.dumps(manifest[name])}, not {json.dumps(count)}")
    is_narrow = manifest["sample"] or set(manifest["filter"]) - {"since", "until"}
    withheld = ranges(proof.marks, b"w", proof.first)
    need(is_narrow or not counted["withheld"], f"lines {withheld} are withheld, and manifest.json has no filter")
    if views.here is not None:
        check_sample(manifest["sample"], proof, views.here)


def check_sample(sample: Any, proof: Proof, here: List[int]) -> None:
    """Verify the sample: the matching lines with the smallest hash: printf %s%s "$seed" "$seq" | sha256sum"""
    last = proof.first - 1
    for low, high in sample["population"]:
        is_inside = last < whole(low) <= whole(high) < proof.end
        need(is_inside, "manifest.json: the sample's population is not in the range")
        last = high
    seqs = (seq for low, high in sample["population"] for seq in range(low, high + 1))
    lots = ((hashlib.sha256(f"{sample['seed']}{seq}".encode()).digest(), seq) for seq in seqs)
    drawn = sorted(seq for _, seq in heapq.nsmallest(whole(sample["count"]), lots))
    need(drawn == sample["drawn"], f"manifest.json: these are not the lines that the seed {sample['seed']!r} draws")
    need(drawn == here, f"lines {sorted({*drawn} ^ {*here})[:9]} were drawn and are not here, or the reverse")


# ---- Part 3, the verdict -------------------------------------------------------------------------------------------

MOST_SHOWN = 40  # items of a list
NOT_SHOWN = [
    "This does not prove:",
    "  - that the registry reported everything, what happened in a gap, or what a withheld line says (a gap, perhaps)",
    "  - who stood behind an actor's name: it is what the registry or the pipeline said",
    "  - that a published image ran anywhere",
    "  - the query, the caller and the coverage in manifest.json: they are not signed",
    "  - cells of a CSV beyond time, repository, tag and digest of its line: hosts, persons, how a deployment began",
    "    and ended, the image before it, all gaps, and whether a row is missing. The lines are the evidence.",
]


def describe(manifest: Any, proof: Proof, views: Views) -> List[str]:
    log, lines, first = proof.checkpoint, sum(views.kinds.values()), proof.first
    outside = [(0, first - 1), (proof.end, log.size - 1)]
    outside_range = " and ".join(f"{low}-{high}" for low, high in outside if low <= high)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(views.kinds.items()))
    text = [
        f"This is what the log {log.origin} recorded. When it was signed it had {log.size} lines. {lines} lines",
        "are here, unchanged, each in its place. From the first to the last, only the lines listed below are left out.",
        "",
        f"Lines:         {lines}" + f", recorded from {views.first_at} to {views.last_at} ({kinds})" * bool(lines),
        f"Query:         {json.dumps(manifest['filter'], sort_keys=True)} by {manifest['asked_by']}",
        f"Out of range:  {outside_range or 'none'}",
        f"Withheld:      {ranges(proof.marks, b'w', first)} (you may ask for them by number)",
        f"Pruned:        {ranges(proof.marks, b'p', first)} (no longer kept by the operator)",
    ]
    if views.unexplained.count(b"p"):
        text.append(f"  reason unknown: {ranges(views.unexplained, b'p', first)}")
    if not views.missing:
        text.append("Identities:    not in this export: no actors, addresses, or events as they were received")
    whys = ((b"e", "erased since"), (b"p", "pruned since"), (b"?", "not disclosed, reason unknown"))
    for name, marks in views.missing.items():
        text.append(f"Identities:    {name!r} as recorded, except")
        text += [f"  {why}: {ranges(marks, mark, first)}" for mark, why in whys]
    if manifest["sample"]:
        seed, drawn = manifest["sample"]["seed"], manifest["sample"]["drawn"]
        text.append(f"Sample:        {len(drawn)} lines, drawn by the seed {seed!r}; is that your seed?")
    text.append(f"Known gaps:    {len(views.gaps) or 'none in these lines'}")
    text += views.gaps[:MOST_SHOWN] + ["  and more, in gaps.csv"] * (len(views.gaps) > MOST_SHOWN)
    for item in manifest["coverage"]:
        period = f"{item['registry']}, {item['from']} to {item['until']}"
        text.append(f"Coverage:      {period}: {item['coverage']}, {item['means']}")
    return text


def ranges(marks: bytearray, mark: bytes, first: int) -> str:
    """The number of lines with the mark, and their ranges."""
    runs = [(first + run.start(), first + run.end() - 1) for run in re.finditer(re.escape(mark) + b"+", marks)]
    shown = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs[:MOST_SHOWN])
    more = f" and {len(runs) - MOST_SHOWN} ranges more" if len(runs) > MOST_SHOWN else ""
    return f"{marks.count(mark)}: {shown}{more}" if runs else "none"


if __name__ == "__main__":
    sys.exit(main())
