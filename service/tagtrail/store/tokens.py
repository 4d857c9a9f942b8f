"""API tokens by their SHA-256. A revoked token stays, because a name is used only once."""

from dataclasses import dataclass, field

from tagtrail.store.database import Connection

_COLUMNS = "name, digest, scopes, made_at, expires_at, revoked_at"


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token as it is kept; instants in nanoseconds since 1970, UTC. `expires_at` None: it does not expire."""

    name: str
    digest: bytes = field(repr=False)
    scopes: tuple[str, ...]
    made_at: int
    expires_at: int | None = None
    revoked_at: int | None = None

    def is_live(self, at: int) -> bool:
        """Whether the token is valid at that instant."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


def find_tokens(db: Connection) -> list[StoredToken]:
    """All tokens, the live ones and the others, oldest first."""
    return [_read(row) for row in db.execute(f"SELECT {_COLUMNS} FROM tokens ORDER BY made_at, name").fetchall()]


def has_live_token(db: Connection, *, at: int) -> bool:
    """Whether a token is live at that instant, in nanoseconds since 1970, UTC."""
    return any(token.is_live(at) for token in find_tokens(db))


def get_token(db: Connection, name: str) -> StoredToken | None:
    """The token of that name, live or not."""
    row = db.execute(f"SELECT {_COLUMNS} FROM tokens WHERE name = ?", (name,)).fetchone()
    return _read(row) if row else None


def add_token(tx: Connection, token: StoredToken) -> None:
    """Store a new token, whose name is new."""
    tx.execute(
        f"INSERT INTO tokens ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (token.name, token.digest, " ".join(token.scopes), token.made_at, token.expires_at, token.revoked_at),
    )


def revoke_token(tx: Connection, name: str, *, at: int) -> None:
    """Revoke the token."""
    tx.execute("UPDATE tokens SET revoked_at = ? WHERE name = ?", (at, name))


def _read(row: tuple[str, bytes, str, int, int | None, int | None]) -> StoredToken:
    name, digest, scopes, made_at, expires_at, revoked_at = row
    return StoredToken(name, digest, tuple(scopes.split()), made_at, expires_at, revoked_at)
