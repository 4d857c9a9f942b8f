"""The pages over a ledger, as a browser without scripts would get them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from flask.testing import FlaskClient

from tagtrail.app import create_app
from tagtrail.config.load import load, with_ingest_token
from tests.conftest import Ledger

READER, SEER = "the-token-of-a-reader", "the-token-of-a-seer-1"
OPEN = "registries: [{name: main, host: 'registry.example:5000', tokens: [{value: the-token-of-main-01}]}]\n"
GUARDED = f"{OPEN}access: {{read: [{{value: {READER}}}, {{value: {SEER}}}], identity: [{{value: {SEER}}}]}}\n"


def open_pages(ledger: Ledger, directory: Path, configuration: str = OPEN) -> FlaskClient:
    """A client of the whole application with this configuration."""
    path = directory / "config.yml"
    path.write_text(configuration)
    app = create_app(with_ingest_token(load(path, environ={})), store=ledger.store, clock=ledger.clock)
    app.testing = True
    return app.test_client()


@dataclass
class Element:
    """An element with its attributes, and the text in it."""

    name: str
    attributes: dict[str, str | None]
    text: str = ""

    def __getitem__(self, attribute: str) -> str:
        return self.attributes.get(attribute) or ""


@dataclass
class Seen(HTMLParser):
    """What a page holds: its elements in order, each with all text that stands in it."""

    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))
        if tag not in ("meta", "link", "input", "br", "path", "rect", "line", "circle"):
            self._open.append(self.elements[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop().name != tag:
            pass

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def find(self, name: str, class_: str = "") -> list[Element]:
        """The elements of this name and class."""
        return [each for each in self.elements if each.name == name and (not class_ or class_ in each["class"].split())]


def look(client: FlaskClient, address: str, token: str | None = None) -> Seen:
    """The page at an address that must be there."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200, answer.text
    seen = Seen()
    seen.feed(answer.text)
    return seen
