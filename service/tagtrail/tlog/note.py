"""Signed notes and checkpoints in C2SP's format: https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint.

Ed25519 only. A name and a key id, which is derived from name and public key, identify a key. A checkpoint's key has the
name of its log, the *origin*.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519: Final = b"\x01"
RESERVED: Final = ("tagtrail/key-rotation", "tagtrail/new-epoch")  # the first lines of statements about keys
_SIGNATURE = "\N{EM DASH} "
_MOST_SIGNATURES = 100  # signatures that are read per note
_SIZE = re.compile("0|[1-9][0-9]{0,17}")  # the largest number that the database can count


class BadNote(ValueError):
    """A note, a key, a checkpoint or a proof is malformed or false; the message says why."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The key of a signature: a name and a public key of 32 bytes."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes before each signature."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        """The key as text: a *vkey*."""
        return f"{self.name}+{self.id.hex()}+{b64encode(ED25519 + self.public).decode()}"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether the 64 bytes are this key's signature of the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


def read_verifier_key(text: str) -> VerifierKey:
    """Parse a vkey. Raises BadNote."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    material = decode_base64(encoded)
    if not is_key_name(name) or material[:1] != ED25519 or len(material) != 33:
        raise BadNote(f"{text.strip()[:120]!r} is no Ed25519 verifier key")
    key = VerifierKey(name, material[1:])
    if key.id.hex() != key_id:
        raise BadNote(f"the verifier key of {name} has the id {key_id[:8]}, and {key.id.hex()} follows from it")
    return key


def is_key_name(name: str) -> bool:
    """Whether this can name our key: not empty, printable, no spaces, no plus, and no first line of a statement."""
    return _may_name_key(name) and name.isprintable() and not name.startswith(RESERVED)


def _may_name_key(name: str) -> bool:
    """Whether C2SP permits this key name; a foreign signature with such a name is ignored, not refused."""
    return bool(name) and "+" not in name and not any(char.isspace() for char in name)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its name."""

    name: str
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> VerifierKey:
        """The key that verifies its signatures."""
        return VerifierKey(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The signature line, with its line feed."""
        signature = self.verifier.id + self.private.sign(text.encode())
        return f"{_SIGNATURE}{self.name} {b64encode(signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line under a note: the claimed key and the signature, not verified yet."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends with a line feed, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def verify(self, keys: Iterable[VerifierKey]) -> list[VerifierKey]:
        """The keys that signed it, each once. Raises BadNote if none did, or if a known key's signature is false."""
        known = {(key.name, key.id): key for key in keys}
        signed = []
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None:
                continue
            if not key.verifies(self.text, signature.signature):
                raise BadNote(f"the signature of {key.name} is false")
            if key not in signed:
                signed.append(key)
        if not signed:
            raise BadNote("no known key has signed this")
        return signed


def write_note(text: str, signers: Sequence[Signer]) -> str:
    """The text, signed by all signers."""
    return f"{text}\n" + "".join(signer.sign(text) for signer in signers)


def read_note(note: str) -> Note:
    """Parse a note. Raises BadNote; verifies no signature."""
    text, separator, below = note.rpartition("\n\n")
    lines = below.split("\n")[:-1]  # not splitlines: only a line feed ends a line
    if not text or not separator or not below.endswith("\n") or not 0 < len(lines) <= _MOST_SIGNATURES:
        raise BadNote("this is no signed note: a text, an empty line and signatures")
    if any((char < " " and char != "\n") or "\ud800" <= char <= "\udfff" for char in note):
        raise BadNote("a signed note is UTF-8 without control characters")
    return Note(text + "\n", tuple(_read_signature(line) for line in lines))


def _read_signature(line: str) -> Signature:
    name, separator, encoded = line.removeprefix(_SIGNATURE).partition(" ")
    signature = decode_base64(encoded)
    if not line.startswith(_SIGNATURE) or not separator or not _may_name_key(name) or len(signature) < 5:
        raise BadNote(f"{line[:120]!r} is no signature line")
    return Signature(name, signature[:4], signature[4:])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's statement that it has `size` leaves with this root."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        """The note's text."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def read_checkpoint(text: str) -> Checkpoint:
    """Parse a note's text; extension lines are ignored. Raises BadNote."""
    *lines, end = text.split("\n")
    if (
        end
        or len(lines) < 3
        or not all(lines)
        or lines[0].startswith(RESERVED)
        or not _SIZE.fullmatch(lines[1])
        or len(root := decode_base64(lines[2])) != 32
    ):
        raise BadNote("this is no checkpoint: an origin, a size and a root, a line each")
    return Checkpoint(lines[0], int(lines[1]), root)


def decode_base64(text: str) -> bytes:
    """Decode canonical Base64: each value has one spelling, so unsigned parts cannot be changed unnoticed."""
    try:
        decoded = b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise BadNote(f"{text[:120]!r} is no Base64") from error
    if b64encode(decoded).decode() != text:
        raise BadNote(f"{text[:120]!r} is no Base64 as it is written")
    return decoded
