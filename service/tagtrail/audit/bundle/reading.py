"""Reading the ledger for a long time, a short snapshot after another, of a ledger that may only grow meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

from tagtrail.errors import StorageUnavailable
from tagtrail.store.database import Connection, Store
from tagtrail.store.facts import get_tail


class Reading:
    """One bundle's view of a store: lines may be added while it is made, and nothing may be taken away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.snapshot() as db:
            self._generation = get_tail(db).generation

    @contextmanager
    def page(self) -> Iterator[Connection]:
        """A snapshot for the few questions of one page.

        Raises StorageUnavailable where something was erased, pruned or derived anew since: a bundle of which one part
        knows of it and another does not would contradict itself.
        """
        with self._store.snapshot() as db:
            if get_tail(db).generation != self._generation:
                raise StorageUnavailable(
                    "something was erased or pruned, or the trail was derived anew, while the bundle was made;"
                    " make it again"
                )
            yield db
