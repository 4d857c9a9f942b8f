"""A new key for the log: said under the old one, and signed by both."""

from tagtrail.ledger.line import Entry
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.seal.keys import check_replaceable, make_key, read_key
from tagtrail.ledger.seal.note import Signer, VerifierKey, read_verifier_key
from tagtrail.ledger.seal.sealer import LogPlace, Sealer
from tagtrail.ledger.submission import Draft
from tagtrail.store import tree as stored
from tagtrail.store.database import Connection, Store
from tagtrail.store.facts import get_tail
from tagtrail.store.tree import StoredKey


def rotate_key(store: Store, recorder: Recorder, sealer: Sealer, place: LogPlace, *, reason: str) -> VerifierKey:
    """Replace the log's key; the service may run meanwhile. Returns the new key.

    What was recorded so far is sealed under the old key, a `key` line names the new one, and the next checkpoint
    has both signatures. A crash in between is made good by the next seal. Raises what `Sealer.seal` raises, and before
    anything is recorded ConfigurationError where the new key could not take the old one's place.
    """
    check_replaceable(place.key)
    sealer.seal()
    with sealer.locked():
        newest = stored.find_keys(store.reader())[-1]
        private = read_key(place.next_key) or make_key(place.next_key)  # there already: a crash came before its line
        key = Signer(read_verifier_key(newest.key).name, private).verifier

        def add_key(tx: Connection) -> None:
            size = get_tail(tx).seq + 1
            stored.add_key(tx, StoredKey(newest.epoch, newest.number + 1, str(key), size))

        recorder.amend(Draft(Entry(kind="key", key=str(key), reason=reason)), add_key)
    sealer.seal()
    return key
