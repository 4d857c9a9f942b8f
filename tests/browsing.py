"""A browser without a window: pages over a ledger, and what a reader finds on them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

from flask.testing import FlaskClient

from tagtrail.app import create_app
from tagtrail.config.load import load, with_ingest_token
from tests.conftest import Ledger

READER, SEER, DEPLOYER = "the-token-of-a-reader", "the-token-of-a-seer-1", "the-token-of-a-deployer"
_INLINE = ("a", "span", "b", "code", "time", "em")
ACCESS = f"""
  read: [{{value: {READER}}}, {{value: {SEER}}}, {{value: {DEPLOYER}}}]
  identity: [{{value: {SEER}}}]
  deploy: [{{value: {DEPLOYER}}}]
"""


def open_pages(ledger: Ledger, directory: Path, *, access: str = "") -> FlaskClient:
    """A client of the whole application; the service is open unless `access` says otherwise."""
    path = directory / "config.yml"
    settings = [
        f"data: {ledger.store.directory}",
        "registries: [{name: main, tokens: [{value: the-token-of-main-01}]}]",
    ]
    path.write_text("\n".join([*settings, *([f"access: {access}"] if access else [])]))
    config = with_ingest_token(load(path, environ={}))
    return create_app(config, store=ledger.store, clock=ledger.clock).test_client()


def bearer(token: str) -> dict[str, str]:
    """The header by which a token is presented."""
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Reader(HTMLParser):
    """What stands on a page: its text, its headings, where it leads, what its forms have."""

    headings: list[tuple[str, str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    copied: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    text: str = ""
    _heading: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.text += "" if tag in _INLINE else " "
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if "id" in given:
            self.anchors.append(given["id"])
        if tag in ("input", "select", "textarea") and "name" in given:
            self.fields[given["name"]] = given.get("value", "")
        if "data-copy" in given:
            self.copied.append(given["data-copy"])
        self.classes += given.get("class", "").split()
        if tag in ("h1", "h2", "h3", "h4"):
            self._heading = tag
            self.headings.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self._heading:
            self._heading = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._heading:
            tag, text = self.headings[-1]
            self.headings[-1] = (tag, " ".join(f"{text} {data}".split()))


def read(html: str) -> Reader:
    """The page as it is read; white space as it is shown."""
    reader = Reader()
    reader.feed(html)
    reader.text = " ".join(reader.text.split())
    levels = [int(tag[1]) for tag, _ in reader.headings]
    assert levels.count(1) == 1, "one h1"
    assert all(after <= before + 1 for before, after in pairwise(levels)), reader.headings
    assert "style=" not in html, "no inline style"
    assert not re.search(r"<script(?! src)", html), "no inline script"
    return reader


def visit(client: FlaskClient, path: str, *, headers: Mapping[str, str] | None = None, status: int = 200) -> Reader:
    """The page at the address."""
    answer = client.get(path, headers=headers or {})
    assert answer.status_code == status, answer.text
    return read(answer.text)
