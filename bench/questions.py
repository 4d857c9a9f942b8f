"""The questions of the page rows: what somebody asks of a large trail, each time with other names and times."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from tagtrail.api.listings import LISTINGS
from tagtrail.api.requests import read_query
from tagtrail.store.database import Connection, Store
from tagtrail.store.digests import get_digest
from tagtrail.store.filters import read_filter
from tagtrail.store.query import Query
from tagtrail.trail.instant import SECOND, format_instant
from tagtrail.trail.rules import Rules

_RULES = Rules()
_LISTINGS = {listing.name: listing for listing in LISTINGS}
_DIGEST = "digests"


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger holds that can be asked for: its time (nanoseconds), repositories, digests and deployments."""

    since: int
    until: int
    lines: int
    repositories: tuple[str, ...]
    digests: tuple[str, ...]
    published: tuple[int, ...]


# What is drawn for each question, under the name of the parameter that it becomes.
_DRAWN: dict[str, tuple[str, Callable[[random.Random, Known], str]]] = {
    "repository": ("repository", lambda chance, known: chance.choice(known.repositories)),
    "team": ("repository", lambda chance, _: f"team-{chance.randrange(20):02d}/*"),
    "actor": ("actor", lambda chance, _: f"person-{chance.randrange(50):02d}"),
    "digest": ("digest", lambda chance, known: chance.choice(known.digests)),
    "prefix": ("digest", lambda chance, known: chance.choice(known.digests)[7:19]),
    "until": ("until", lambda chance, known: format_instant(chance.randint(known.since, known.until), 6)),
    "at": ("at", lambda chance, known: format_instant(chance.randint(known.since, known.until), 6)),
}

# The list that is asked, and its parameters: drawn by one of the names above, or given.
QUESTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "the newest entries": ("entries", ()),
    "entries before a time": ("entries", ("until",)),
    "entries of a repository": ("entries", ("repository",)),
    "entries of a group of repositories": ("entries", ("team",)),
    "entries of a tag": ("entries", ("repository", "tag=latest")),
    "entries of an actor": ("entries", ("actor",)),
    "entries of a digest": ("entries", ("digest",)),
    "entries of an environment": ("entries", ("environment=production", "until")),
    "entries of a repository by an actor": ("entries", ("repository", "actor")),
    "entries of a kind that is rare": ("entries", ("kind=configuration",)),
    "all tags": ("tags", ()),
    "tags of a repository": ("tags", ("repository",)),
    "tags of a repository at a time": ("tags", ("repository", "at")),
    "a tag at a time": ("tags", ("repository", "tag=prod", "at")),
    "history of a tag": ("history", ("repository", "tag=latest")),
    "a digest": (_DIGEST, ("digest",)),
    "a digest by its first 12 digits": (_DIGEST, ("prefix",)),
    "the newest deployments": ("deployments", ()),
    "deployments of an environment": ("deployments", ("environment=production", "until")),
    "deployments of a repository": ("deployments", ("repository",)),
    "deployments by an actor": ("deployments", ("actor",)),
    "environments": ("environments", ()),
    "environments at a time": ("environments", ("at",)),
    "environments of a repository": ("environments", ("repository",)),
    "violations": ("violations", ("until",)),
    "violations of a repository": ("violations", ("repository",)),
}


# The pages that people open, each by its address.
PAGES: dict[str, Callable[[random.Random, Known], str]] = {
    "the overview": lambda chance, known: "/",
    "the overview of a group of repositories": lambda chance, known: f"/?repository=team-{chance.randrange(20):02d}/*",
    "the audit log": lambda chance, known: "/log",
    "the audit log of a repository": lambda chance, known: f"/log?repository={chance.choice(known.repositories)}",
    "the audit log before a time": lambda chance, known: f"/log?until={_moment(chance, known)}",
    "a line": lambda chance, known: f"/log/{chance.randrange(known.lines)}",
    "deployments": lambda chance, known: "/deployments?environment=production",
    "a deployment": lambda chance, known: f"/deployments/{chance.choice(known.published)}/production",
    "what changed within an hour": lambda chance, known: f"/compare?{_hour(chance, known)}",
    "registries": lambda chance, known: "/registries",
    "a registry": lambda chance, known: "/registries/main",
    "a repository with its timeline": lambda chance, known: f"/registries/main/{chance.choice(known.repositories)}",
    "a tag": lambda chance, known: f"/registries/main/{chance.choice(known.repositories)}:prod",
    "a tag at a time": lambda chance, known: (
        f"/registries/main/{chance.choice(known.repositories)}:prod?at={_moment(chance, known)}"
    ),
    "a digest": lambda chance, known: f"/digests/{chance.choice(known.digests)}",
    "violations": lambda chance, known: "/violations",
    "the quarantine": lambda chance, known: "/quarantine",
    "messages": lambda chance, known: "/messages",
    "a search": lambda chance, known: f"/search?q={chance.choice(known.repositories)[:-1]}",
}


def _moment(chance: random.Random, known: Known) -> str:
    return format_instant(chance.randint(known.since, known.until), 0)


def _hour(chance: random.Random, known: Known) -> str:
    began = chance.randint(known.since, known.until)
    return f"from={format_instant(began, 0)}&until={format_instant(began + 3_600 * SECOND, 0)}"


def draw_pages(page: str, known: Known, count: int) -> Iterator[str]:
    """So many addresses of a page, the same ones each time."""
    chance = random.Random(page)
    for _ in range(count):
        yield PAGES[page](chance, known)


def find_known(store: Store) -> Known:
    """What can be asked for; digests from all over the ledger."""
    db = store.reader()
    since, until, last = db.execute(
        "SELECT (SELECT received_at FROM entries ORDER BY seq LIMIT 1 OFFSET 10), received_at, seq FROM entries"
        " ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    digests = db.execute("SELECT digest FROM manifests WHERE id % (1 + ? / 500) = 0 LIMIT 500", (last,)).fetchall()
    names = db.execute("SELECT name FROM repositories WHERE name LIKE 'team-%'").fetchall()
    published = db.execute(
        "SELECT seq FROM publications WHERE environment = 'production' AND seq % (1 + ? / 5000) = 0 LIMIT 500", (last,)
    ).fetchall()
    return Known(since, until, last, _first_of(names), _first_of(digests), _first_of(published))


def _first_of(rows: list[tuple[Any]]) -> tuple[Any, ...]:
    return tuple(value for (value,) in rows)


def ask_store(store: Store, name: str, parameters: dict[str, str]) -> float:
    """Put a question to the store; the seconds it took."""
    ask = _asking(name, parameters)
    started = time.perf_counter()
    with store.snapshot() as db:
        ask(db)
    return time.perf_counter() - started


def path_of(name: str, parameters: dict[str, str]) -> str:
    """The same question as the path of a GET."""
    if name == _DIGEST:
        return f"/api/v1/digests/{quote(parameters['digest'])}"
    return f"/api/v1/{name}?{urlencode(parameters)}"


def _asking(name: str, parameters: dict[str, str]) -> Callable[[Connection], object]:
    if name == _DIGEST:
        wanted = read_filter(parameters, accepted=("digest",))
        return lambda db: get_digest(db, Query(_RULES, wanted))
    listing = _LISTINGS[name]
    query = read_query(parameters, listing, _RULES)
    return lambda db: listing.find(db, query)


def draw(question: str, known: Known, count: int) -> Iterator[tuple[str, dict[str, str]]]:
    """So many questions of a kind: the list's name and its parameters, the same ones each time."""
    name, parts = QUESTIONS[question]
    chance = random.Random(question)
    for _ in range(count):
        yield name, dict(_parameter(part, chance, known) for part in parts)


def _parameter(part: str, chance: random.Random, known: Known) -> tuple[str, str]:
    given, _, value = part.partition("=")
    if value:
        return given, value
    name, draw_one = _DRAWN[part]
    return name, draw_one(chance, known)
