"""Whether anything was written: the cheapest question there is to a database, for whoever waits for news."""

from tagtrail.store.database import Store


class Changes:
    """Watches a store for commits of other connections, on the connection of the thread that asks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = -1

    def have_come(self) -> bool:
        """Whether something was committed since this was asked last; true the first time.

        A look into shared memory, and no page of the database (https://www.sqlite.org/pragma.html#pragma_data_version).
        """
        (version,) = self._store.reader().execute("PRAGMA data_version").fetchone()
        have_come = version != self._version
        self._version = version
        return bool(have_come)
