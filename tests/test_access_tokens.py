"""API tokens: made, revoked, and told of by the ledger."""

import hashlib
import json
import re
from typing import Any

import pytest

from tagtrail.access.tokens import make_token, revoke_token
from tagtrail.errors import BadParameter, NotRecorded, Refused
from tagtrail.ledger.record import Recorder
from tagtrail.store.tokens import StoredToken, find_tokens
from tagtrail.trail.instant import DAY, SECOND
from tests.conftest import Ledger
from tests.events import push


def lines(ledger: Ledger) -> list[dict[str, Any]]:
    found = [json.loads(line) for (line,) in ledger.rows("SELECT line FROM lines ORDER BY seq")]
    return [line for line in found if line["kind"] == "token"]


def test_a_token_is_256_random_bits_and_only_its_hash_is_kept(ledger: Ledger) -> None:
    text = make_token(ledger.recorder, "board", ["read", "export", "read"], expires_at=ledger.clock() + DAY)
    assert re.fullmatch(r"tt_[A-Za-z0-9_-]{43}", text)
    [token] = find_tokens(ledger.store.reader())
    assert token.digest == hashlib.sha256(text.encode()).digest()
    assert (token.scopes, token.made_at, token.expires_at) == (
        ("export", "read"), ledger.clock(), ledger.clock() + DAY,
    )  # fmt: skip
    assert token.digest.hex()[:8] not in repr(token)
    assert repr(token.digest) not in repr(token)
    assert text != make_token(ledger.recorder, "other", ["read"])
    ledger.store.close()
    kept = b"".join(path.read_bytes() for path in ledger.store.directory.iterdir() if path.is_file())
    assert text.encode() not in kept
    assert text.removeprefix("tt_").encode() not in kept


def test_each_change_is_a_line(ledger: Ledger) -> None:
    make_token(ledger.recorder, "board", ["read"], expires_at=ledger.clock() + DAY)
    revoke_token(ledger.store, ledger.recorder, "board")
    made, revoked = lines(ledger)
    assert (made["token"], made["action"], made["scopes"]) == ("board", "made", ["read"])
    assert made["expires"] == "2026-04-22T12:00:00.000000000Z"
    assert (revoked["token"], revoked["action"]) == ("board", "revoked")
    assert set(made) == {"v", "seq", "at", "kind", "token", "action", "scopes", "expires"}


def test_a_name_is_given_once(ledger: Ledger) -> None:
    make_token(ledger.recorder, "board", ["read"])
    with pytest.raises(Refused, match="a name is used once"):
        make_token(ledger.recorder, "board", ["read"])
    revoke_token(ledger.store, ledger.recorder, "board")
    with pytest.raises(Refused, match="a name is used once"):
        make_token(ledger.recorder, "board", ["read"])
    assert len(lines(ledger)) == 2, "what was refused left no line"
    ledger.receive(push("prod", "one", 1))


@pytest.mark.parametrize("name", ["", "Board", "access.read[0]", "a b", "ä", "-x", "x" * 64])
def test_a_name_is_one_that_a_line_may_hold(ledger: Ledger, name: str) -> None:
    with pytest.raises(BadParameter, match="is not a name"):
        make_token(ledger.recorder, name, ["read"])
    assert lines(ledger) == []


def test_a_token_that_has_expired_already_is_not_made(ledger: Ledger) -> None:
    with pytest.raises(BadParameter, match="is in the past"):
        make_token(ledger.recorder, "board", ["read"], expires_at=ledger.clock())


def test_revoking_twice_is_one_line_and_an_unknown_name_is_none(ledger: Ledger) -> None:
    make_token(ledger.recorder, "board", ["read"])
    first = revoke_token(ledger.store, ledger.recorder, "board")
    ledger.clock.pass_seconds(60)
    assert revoke_token(ledger.store, ledger.recorder, "board") == first
    with pytest.raises(NotRecorded, match="there is no token 'bored'"):
        revoke_token(ledger.store, ledger.recorder, "bored")
    assert [line["action"] for line in lines(ledger)] == ["made", "revoked"]


def test_the_line_and_the_token_are_there_together_or_not_at_all(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tagtrail.access.tokens.tokens.add_token", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_token(ledger.recorder, "board", ["read"])
    assert (lines(ledger), find_tokens(ledger.store.reader())) == ([], [])


def test_a_change_of_tokens_makes_nobody_forget_anything(ledger: Ledger) -> None:
    """Unlike what takes something away, it says nothing about the projection."""
    before = ledger.rows("SELECT generation FROM derivation")
    make_token(ledger.recorder, "board", ["read"])
    assert ledger.rows("SELECT generation FROM derivation") == before


def test_the_first_line_of_a_ledger_may_be_a_token(ledger: Ledger) -> None:
    make_token(Recorder(ledger.store, clock=ledger.clock), "board", ["read"])
    ledger.receive(push("prod", "one", 1))
    assert ledger.rows("SELECT count(*) FROM moves") == [(1,)]


def test_a_token_lives_until_it_expires_or_is_revoked() -> None:
    token = StoredToken("a", b"", ("read",), made_at=0, expires_at=10 * SECOND)
    assert token.is_live(10 * SECOND - 1)
    assert not token.is_live(10 * SECOND)
    assert StoredToken("a", b"", ("read",), made_at=0).is_live(2**62)
    assert not StoredToken("a", b"", ("read",), made_at=0, revoked_at=5).is_live(6)
