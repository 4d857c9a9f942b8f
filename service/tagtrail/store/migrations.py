"""The schema, as steps that are never edited once released; `prepare()` applies those a database lacks.

Four kinds of tables. The evidence (`lines`, `disclosures`) is written once; triggers refuse to change it. The
projection (`registries` to `index_members`, `annotations`) is derived from the lines, and `rebuild` derives it again.
The proof (`subtrees`, `checkpoints`) is what was computed of the lines' hashes, and what was signed. The rest
(`traffic`, `contacts`, `tokens`, `deliveries`, `troubles` ...) counts and remembers what never becomes a line.

Instants are nanoseconds since 1970 UTC. A moment is (`occurred_at`, `event`): the registry's clock and, within a tie,
the event's 16-byte key.
"""

import sqlite_utils
from sqlite_utils.migrations import Migrations

migrations = Migrations("tagtrail")


@migrations()
def m001_evidence(db: sqlite_utils.Database) -> None:
    """The append-only ledger. The triggers guard against mistakes; what proves tampering is the leaf hash."""
    db.executescript("""
        CREATE TABLE lines (
            seq  INTEGER PRIMARY KEY,
            line BLOB NOT NULL,
            leaf BLOB NOT NULL CHECK (length(leaf) = 32)
        ) STRICT;

        -- Documents [salt, name, value] behind a line's commitments; the only evidence that may be deleted.
        CREATE TABLE disclosures (
            seq INTEGER PRIMARY KEY REFERENCES lines (seq),
            who BLOB,
            raw BLOB
        ) STRICT;

        -- One row: lines below `before_seq` may have been pruned.
        CREATE TABLE pruned (
            id         INTEGER PRIMARY KEY CHECK (id = 1),
            before_seq INTEGER NOT NULL
        ) STRICT;
        INSERT INTO pruned VALUES (1, 0);

        CREATE TRIGGER lines_are_never_changed BEFORE UPDATE ON lines
        BEGIN SELECT RAISE(ABORT, 'a line of the ledger is never changed'); END;

        CREATE TRIGGER lines_are_kept BEFORE DELETE ON lines
        WHEN OLD.seq >= (SELECT before_seq FROM pruned)
        BEGIN SELECT RAISE(ABORT, 'a line of the ledger is never deleted'); END;

        -- Without this one INSERT OR REPLACE silently rewrites a row.
        CREATE TRIGGER lines_follow_each_other BEFORE INSERT ON lines
        WHEN NEW.seq IS NOT coalesce((SELECT max(seq) + 1 FROM lines), (SELECT before_seq FROM pruned))
        BEGIN SELECT RAISE(ABORT, 'a line of the ledger must have the next seq'); END;

        CREATE TRIGGER disclosures_are_never_added_later BEFORE INSERT ON disclosures
        WHEN NEW.seq IS NOT (SELECT max(seq) FROM lines)
        BEGIN SELECT RAISE(ABORT, 'a disclosure is written with its line'); END;

        CREATE TRIGGER disclosures_are_only_erased BEFORE UPDATE ON disclosures
        WHEN NEW.seq IS NOT OLD.seq
            OR NEW.who IS NOT OLD.who AND NEW.who IS NOT NULL
            OR NEW.raw IS NOT OLD.raw AND NEW.raw IS NOT NULL
        BEGIN SELECT RAISE(ABORT, 'a disclosure is erased or left alone'); END;

        CREATE TRIGGER pruning_only_advances BEFORE UPDATE ON pruned
        WHEN NEW.before_seq < OLD.before_seq
        BEGIN SELECT RAISE(ABORT, 'what was pruned stays pruned'); END;

        CREATE TRIGGER pruning_is_remembered BEFORE DELETE ON pruned
        BEGIN SELECT RAISE(ABORT, 'what was pruned stays pruned'); END;
    """)


@migrations()
def m002_trail(db: sqlite_utils.Database) -> None:
    """The projection: what the lines mean, in the shape in which it is asked for."""
    db.executescript("""
        CREATE TABLE registries (
            id   INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE
        ) STRICT;

        -- The moment is that of the latest delete that may concern several of the repository's tags.
        CREATE TABLE repositories (
            id          INTEGER PRIMARY KEY,
            registry_id INTEGER NOT NULL REFERENCES registries (id),
            name        TEXT NOT NULL,
            deleted_at  INTEGER,
            deleted_by  BLOB,
            UNIQUE (registry_id, name)
        ) STRICT;

        -- A digest in a repository; `pushed_seq` is null while only a delete or an index has named it.
        CREATE TABLE manifests (
            id            INTEGER PRIMARY KEY,
            repository_id INTEGER NOT NULL REFERENCES repositories (id),
            digest        TEXT NOT NULL,
            media_type    TEXT,
            size          INTEGER,
            pushed_seq    INTEGER,
            UNIQUE (digest, repository_id)
        ) STRICT;

        -- `head_id` is what the tag points to (null: deleted), `last_id` what it named last, `head_seq` the line
        -- that made it so; the moment is that of the tag's latest push or delete.
        CREATE TABLE tags (
            id            INTEGER PRIMARY KEY,
            repository_id INTEGER NOT NULL REFERENCES repositories (id),
            name          TEXT NOT NULL,
            head_id       INTEGER REFERENCES manifests (id),
            last_id       INTEGER REFERENCES manifests (id),
            head_seq      INTEGER,
            head_since    INTEGER,
            occurred_at   INTEGER NOT NULL,
            event         BLOB NOT NULL,
            UNIQUE (repository_id, name)
        ) STRICT;

        CREATE TABLE actors (
            id   INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE
        ) STRICT;

        -- What can be asked of each line.
        CREATE TABLE entries (
            seq           INTEGER PRIMARY KEY REFERENCES lines (seq),
            received_at   INTEGER NOT NULL,
            kind          TEXT NOT NULL,
            registry_id   INTEGER REFERENCES registries (id),
            repository_id INTEGER REFERENCES repositories (id),
            tag_id        INTEGER REFERENCES tags (id),
            manifest_id   INTEGER REFERENCES manifests (id),
            actor_id      INTEGER REFERENCES actors (id),
            occurred_at   INTEGER,
            event         BLOB
        ) STRICT;
        CREATE UNIQUE INDEX entries_by_event ON entries (event, registry_id) WHERE event IS NOT NULL;
        CREATE INDEX entries_by_registry ON entries (registry_id, seq);
        CREATE INDEX entries_by_repository ON entries (repository_id, seq);
        CREATE INDEX entries_by_tag ON entries (tag_id, seq) WHERE tag_id IS NOT NULL;
        CREATE INDEX entries_by_tag_moment ON entries (tag_id, occurred_at) WHERE tag_id IS NOT NULL;
        CREATE INDEX entries_by_manifest ON entries (manifest_id, seq) WHERE manifest_id IS NOT NULL;
        CREATE INDEX entries_by_actor ON entries (actor_id, seq) WHERE actor_id IS NOT NULL;
        CREATE INDEX entries_by_kind ON entries (kind, seq) WHERE kind <> 'push';
        CREATE INDEX entries_deleting ON entries (repository_id, occurred_at) WHERE kind = 'delete' AND tag_id IS NULL;

        -- Each move is also the interval that it begins: from `occurred_at` until `until`.
        CREATE TABLE moves (
            tag_id      INTEGER NOT NULL REFERENCES tags (id),
            occurred_at INTEGER NOT NULL,
            event       BLOB NOT NULL,
            seq         INTEGER NOT NULL REFERENCES lines (seq),
            kind        TEXT NOT NULL,
            manifest_id INTEGER REFERENCES manifests (id),
            previous_id INTEGER REFERENCES manifests (id),
            until       INTEGER,
            is_release  INTEGER NOT NULL,
            violates    INTEGER NOT NULL,
            PRIMARY KEY (tag_id, occurred_at, event)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX moves_by_manifest ON moves (manifest_id, is_release, occurred_at);
        CREATE INDEX moves_by_seq ON moves (seq);
        CREATE INDEX violations ON moves (occurred_at, event, tag_id) WHERE violates = 1;

        -- Deployments, and (with no manifest and no direction) withdrawals: an environment's tag deleted.
        -- `tag_id` is 0 for a deployment declared by digest alone.
        CREATE TABLE publications (
            environment   TEXT NOT NULL,
            repository_id INTEGER NOT NULL REFERENCES repositories (id),
            occurred_at   INTEGER NOT NULL,
            event         BLOB NOT NULL,
            seq           INTEGER NOT NULL REFERENCES lines (seq),
            basis         TEXT NOT NULL,
            tag_id        INTEGER NOT NULL,
            manifest_id   INTEGER REFERENCES manifests (id),
            direction     TEXT,
            previous_seq  INTEGER,
            until         INTEGER,
            PRIMARY KEY (environment, repository_id, occurred_at, event, tag_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX publications_by_time ON publications (occurred_at, event, environment);
        CREATE INDEX publications_by_manifest ON publications (manifest_id, occurred_at);
        CREATE INDEX publications_by_environment ON publications (environment, seq);
        CREATE INDEX publications_by_environment_time ON publications (environment, occurred_at, event);
        CREATE INDEX publications_by_seq ON publications (seq);

        CREATE TABLE index_members (
            manifest_id INTEGER NOT NULL REFERENCES manifests (id),
            index_id    INTEGER NOT NULL REFERENCES manifests (id),
            platform    TEXT,
            PRIMARY KEY (manifest_id, index_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX members_by_index ON index_members (index_id);
    """)


@migrations()
def m003_counters(db: sqlite_utils.Database) -> None:
    """What is counted and what could not be understood."""
    db.executescript("""
        -- Events that are no evidence of change: per registry, UTC day and action.
        CREATE TABLE traffic (
            registry TEXT NOT NULL,
            day      TEXT NOT NULL,
            action   TEXT NOT NULL,
            events   INTEGER NOT NULL,
            PRIMARY KEY (registry, day, action)
        ) STRICT, WITHOUT ROWID;

        -- One row for each time a registry started. `counted` holds the 16-byte keys of the last counted events:
        -- a registry repeats an event before it sends the next, so a short memory counts each once.
        CREATE TABLE contacts (
            registry      TEXT NOT NULL,
            instance      TEXT NOT NULL,
            host          TEXT NOT NULL,
            first_seen_at INTEGER NOT NULL,
            last_seen_at  INTEGER NOT NULL,
            counted       BLOB NOT NULL,
            PRIMARY KEY (registry, instance)
        ) STRICT;

        -- `content` is the SHA-256 of what was refused, so that a repeated delivery adds nothing.
        CREATE TABLE quarantine (
            seq      INTEGER PRIMARY KEY REFERENCES lines (seq),
            registry TEXT NOT NULL,
            reason   TEXT NOT NULL,
            size     INTEGER NOT NULL,
            content  BLOB NOT NULL,
            UNIQUE (content, registry)
        ) STRICT;

        -- One row, written to learn whether the database can be written.
        CREATE TABLE readiness (
            id         INTEGER PRIMARY KEY CHECK (id = 1),
            checked_at INTEGER NOT NULL
        ) STRICT;
    """)


@migrations()
def m004_proof(db: sqlite_utils.Database) -> None:
    """The tree over the lines and what was signed of it."""
    db.executescript("""
        -- Hashes of complete subtrees of 2^8, 2^16 and 2^24 lines, so that a root needs few leaves.
        CREATE TABLE subtrees (
            level  INTEGER NOT NULL,
            number INTEGER NOT NULL,
            hash   BLOB NOT NULL CHECK (length(hash) = 32),
            PRIMARY KEY (level, number)
        ) STRICT, WITHOUT ROWID;

        -- Signed notes, as they were published. A size is signed once in an epoch.
        CREATE TABLE checkpoints (
            epoch     INTEGER NOT NULL,
            size      INTEGER NOT NULL,
            root      BLOB NOT NULL CHECK (length(root) = 32),
            note      TEXT NOT NULL,
            sealed_at INTEGER NOT NULL,
            PRIMARY KEY (epoch, size)
        ) STRICT, WITHOUT ROWID;

        CREATE INDEX checkpoints_by_size ON checkpoints (size, epoch);

        -- The log's keys as verifier keys, whose name is the log's origin: oldest first within an epoch. A key counts
        -- from the first checkpoint of at least `since_size`, which the one before it has signed too.
        CREATE TABLE log_keys (
            epoch      INTEGER NOT NULL,
            number     INTEGER NOT NULL,
            key        TEXT NOT NULL,
            since_size INTEGER NOT NULL,
            PRIMARY KEY (epoch, number)
        ) STRICT, WITHOUT ROWID;

        CREATE TRIGGER checkpoints_are_never_changed BEFORE UPDATE ON checkpoints
        BEGIN SELECT RAISE(ABORT, 'what was signed is never changed'); END;

        CREATE TRIGGER checkpoints_are_kept BEFORE DELETE ON checkpoints
        BEGIN SELECT RAISE(ABORT, 'what was signed is kept'); END;

        -- Leaf hashes of pruned lines: with them every proof can still be made.
        CREATE TABLE pruned_leaves (
            seq  INTEGER PRIMARY KEY,
            leaf BLOB NOT NULL CHECK (length(leaf) = 32)
        ) STRICT;

        -- One row: the last time that the whole ledger was verified; `trouble` is null where all was well.
        CREATE TABLE verification (
            id          INTEGER PRIMARY KEY CHECK (id = 1),
            verified_at INTEGER NOT NULL,
            size        INTEGER NOT NULL,
            trouble     TEXT
        ) STRICT;

        -- One row: counted up whenever the projection was changed other than by a new line, so that no process goes on
        -- with ids and rules that it remembers.
        CREATE TABLE derivation (
            id         INTEGER PRIMARY KEY CHECK (id = 1),
            generation INTEGER NOT NULL
        ) STRICT;
        INSERT INTO derivation VALUES (1, 0);

        -- What ties a ticket, a commit or an approval to a line; `event` is the key under which it was made.
        CREATE TABLE annotations (
            seq       INTEGER PRIMARY KEY REFERENCES lines (seq),
            annotates INTEGER NOT NULL REFERENCES lines (seq),
            relation  TEXT NOT NULL,
            change    TEXT,
            event     BLOB
        ) STRICT;
        CREATE INDEX annotations_by_line ON annotations (annotates, seq);
        CREATE UNIQUE INDEX annotations_by_event ON annotations (event) WHERE event IS NOT NULL;
    """)


@migrations()
def m005_access(db: sqlite_utils.Database) -> None:
    """Who may ask, as far as it is no configuration."""
    db.executescript("""
        -- API tokens by their SHA-256; a revoked one stays, for its name is never given twice.
        CREATE TABLE tokens (
            name       TEXT PRIMARY KEY,
            digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
            scopes     TEXT NOT NULL,
            made_at    INTEGER NOT NULL,
            expires_at INTEGER,
            revoked_at INTEGER
        ) STRICT;

        -- Failed authentications per UTC day and door (`api` or `events`).
        CREATE TABLE refusals (
            day      TEXT NOT NULL,
            door     TEXT NOT NULL,
            refusals INTEGER NOT NULL,
            PRIMARY KEY (day, door)
        ) STRICT, WITHOUT ROWID;
    """)


@migrations()
def m006_outbox(db: sqlite_utils.Database) -> None:
    """What is to be told, and what became of it."""
    db.executescript("""
        -- One message to one channel; ids sort as the lines do that they tell of. Order is kept within a `subject`: a
        -- repository, `service` (troubles), or `*` (a summary, for which its channel waits). What has the same
        -- `gathering` and comes while it settles joins it. `due_at` is when it was first due: from then on giving up
        -- is counted.
        CREATE TABLE deliveries (
            id          TEXT PRIMARY KEY,
            channel     TEXT NOT NULL,
            subject     TEXT NOT NULL,
            gathering   TEXT NOT NULL,
            state       TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'merged')),
            made_at     INTEGER NOT NULL,
            due_at      INTEGER NOT NULL,
            not_before  INTEGER NOT NULL,
            lease_until INTEGER,
            attempts    INTEGER NOT NULL DEFAULT 0,
            finished_at INTEGER,
            merged_into TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX deliveries_unfinished ON deliveries (channel, subject, id, not_before, state)
            WHERE state IN ('waiting', 'sending');
        CREATE INDEX deliveries_untried ON deliveries (channel, subject, gathering, id)
            WHERE state = 'waiting' AND attempts = 0;
        CREATE INDEX deliveries_failed ON deliveries (channel, id) WHERE state = 'failed';
        CREATE INDEX deliveries_sent ON deliveries (channel, finished_at) WHERE state = 'sent';
        CREATE INDEX deliveries_merged ON deliveries (merged_into) WHERE merged_into IS NOT NULL;

        -- The lines that a delivery tells of.
        CREATE TABLE delivery_lines (
            delivery TEXT NOT NULL REFERENCES deliveries (id),
            seq      INTEGER NOT NULL,
            PRIMARY KEY (delivery, seq)
        ) STRICT, WITHOUT ROWID;

        -- What came of each attempt; one whose dispatcher died has no row.
        CREATE TABLE attempts (
            delivery TEXT NOT NULL REFERENCES deliveries (id),
            number   INTEGER NOT NULL,
            at       INTEGER NOT NULL,
            outcome  TEXT NOT NULL CHECK (outcome IN ('sent', 'postponed', 'failed')),
            status   INTEGER,
            detail   TEXT NOT NULL,
            PRIMARY KEY (delivery, number)
        ) STRICT, WITHOUT ROWID;
    """)


@migrations()
def m007_troubles(db: sqlite_utils.Database) -> None:
    """The service's own troubles, each told once when it begins and once when it is over."""
    db.executescript("""
        -- `subject` is a registry or a channel, empty where there is only one of its kind; `seq` is the newest line in
        -- quarantine. `detail` is for the operator and holds neither a secret nor anything about people.
        CREATE TABLE troubles (
            id       INTEGER PRIMARY KEY,
            kind     TEXT NOT NULL,
            subject  TEXT NOT NULL,
            began_at INTEGER NOT NULL,
            ended_at INTEGER,
            seq      INTEGER,
            detail   TEXT NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX troubles_present ON troubles (kind, subject) WHERE ended_at IS NULL;
        CREATE INDEX troubles_by_time ON troubles (kind, subject, id);
    """)


@migrations()
def m008_moves_by_time(db: sqlite_utils.Database) -> None:
    """What moved between two instants, whichever tag it was: for pages that show the newest moves, or compare."""
    db.execute("CREATE INDEX moves_by_time ON moves (occurred_at, event, tag_id)")


@migrations()
def m009_quarantine_by_registry(db: sqlite_utils.Database) -> None:
    """How much of a registry was quarantined: for pages that say so, however much it is."""
    db.execute("CREATE INDEX quarantine_by_registry ON quarantine (registry)")


@migrations()
def m010_projected_mark(db: sqlite_utils.Database) -> None:
    """Up to which line the projection goes: lines are appended first, and projected in batches afterwards."""
    db.executescript("""
        ALTER TABLE derivation ADD COLUMN projected INTEGER NOT NULL DEFAULT -1;
        UPDATE derivation SET projected =
            coalesce((SELECT max(seq) FROM lines), (SELECT before_seq FROM pruned) - 1);
    """)


@migrations()
def m011_violations_by_tag(db: sqlite_utils.Database) -> None:
    """The violations of each tag, so that those of a repository are found without reading those of all."""
    db.execute("CREATE INDEX violations_by_tag ON moves (tag_id, occurred_at, event) WHERE violates = 1")


@migrations()
def m012_statements(db: sqlite_utils.Database) -> None:
    """How each key of the log was introduced."""
    db.executescript("""
        -- Signed notes, by the key that each introduces: a rotation hands over to the key `number` of its epoch.
        -- A key that came before these were written has none.
        CREATE TABLE statements (
            epoch  INTEGER NOT NULL,
            number INTEGER NOT NULL,
            note   TEXT NOT NULL,
            PRIMARY KEY (epoch, number)
        ) STRICT, WITHOUT ROWID;

        CREATE TRIGGER statements_are_never_changed BEFORE UPDATE ON statements
        BEGIN SELECT RAISE(ABORT, 'what was signed is never changed'); END;

        CREATE TRIGGER statements_are_kept BEFORE DELETE ON statements
        BEGIN SELECT RAISE(ABORT, 'what was signed is kept'); END;
    """)
