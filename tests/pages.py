"""Pages as a test reads them: through Flask's client, by whoever has a token or signed in, element by element."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api_client import bearer

_INLINE = ("a", "span", "b", "code", "time", "em")  # what stands before another of these is not parted from it
_UNSEEN = ("script", "style", "title")
_EMPTY = ("meta", "link", "input", "br", "img")
_HEADINGS = ("h1", "h2", "h3", "h4")


@dataclass
class Element:
    """An element with its attributes, and all text in it, white space as it is shown."""

    name: str
    attributes: dict[str, str]
    said: list[str] = field(default_factory=list)

    def __getitem__(self, attribute: str) -> str:
        return self.attributes.get(attribute, "")

    @property
    def text(self) -> str:
        return " ".join("".join(self.said).split())

    @property
    def classes(self) -> list[str]:
        return self["class"].split()


class _Reader(HTMLParser):
    """Reads a page; the first of its elements is the whole of it."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = [Element("", {})]
        self._open = self.elements.copy()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _INLINE:
            self.handle_data(" ")
        if tag not in _EMPTY:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in (element.name for element in self._open):
            while self._open.pop().name != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._open[-1].name not in _UNSEEN:
            for element in self._open:
                element.said.append(data)


@dataclass
class Shown:
    """What was answered; of a page, its elements in order."""

    status: int
    html: str
    headers: dict[str, str]
    text: str = field(init=False)
    elements: list[Element] = field(init=False)

    def __post_init__(self) -> None:
        reader = _Reader()
        reader.feed(self.html)
        whole, *self.elements = reader.elements
        self.text = whole.text

    def find(self, name: str, class_: str = "") -> list[Element]:
        """The elements of this name, and class."""
        return [each for each in self.elements if each.name == name and (not class_ or class_ in each.classes)]

    def values(self, *attributes: str) -> list[str]:
        """What these attributes say, wherever they stand."""
        return [each[name] for each in self.elements for name in attributes if each[name]]

    @property
    def links(self) -> list[str]:
        """Where anything leads, or is loaded from."""
        return self.values("href", "src", "action")

    @property
    def copied(self) -> list[str]:
        """What buttons would copy."""
        return self.values("data-copy")

    @property
    def classes(self) -> list[str]:
        return [name for each in self.elements for name in each.classes]

    @property
    def headings(self) -> list[tuple[str, str]]:
        """The headings with their levels."""
        return [(each.name, each.text) for each in self.elements if each.name in _HEADINGS]

    @property
    def fields(self) -> dict[str, str]:
        """What the forms would send."""
        named = (each for each in self.elements if each.name in ("input", "select", "textarea") and each["name"])
        return {each["name"]: each["value"] for each in named}

    @property
    def csrf(self) -> str:
        """The token of the page's forms."""
        assert "csrf_token" in self.fields, "the page has no form that is protected"
        return self.fields["csrf_token"]

    def check(self) -> None:
        """What holds for every page, a failure's too: its headings in order, and nothing that the policy forbids."""
        levels = [int(name[1]) for name, _ in self.headings]
        assert levels.count(1) == 1, "one h1"
        assert all(after <= before + 1 for before, after in pairwise(levels)), self.headings
        assert " · tagtrail</title>" in self.html
        assert self.values("style", "onclick") == [], "no inline style, no inline script"
        assert self.find("style") == []
        assert "style=" not in self.html
        assert not re.search(r"<script(?! src)", self.html)


def shown(answer: TestResponse) -> Shown:
    """What was answered, read; where it is a page, it is like all pages."""
    page = Shown(answer.status_code, answer.text, dict(answer.headers))
    if answer.mimetype == "text/html" and page.find("main"):
        page.check()
    return page


def ask(client: FlaskClient, address: str, headers: Mapping[str, str] | None = None) -> Shown:
    """Ask for a page, whatever the answer."""
    return shown(client.get(address, headers={"Accept": "text/html", **(headers or {})}))


def visit(
    client: FlaskClient,
    address: str,
    *,
    token: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Shown:
    """Open a page, as a browser would, and be answered so."""
    page = ask(client, address, {**(bearer(token) if token else {}), **(headers or {})})
    assert page.status == status, page.text
    return page


def sign_in(client: FlaskClient, token: str, **more: str) -> Shown:
    """Fill in the form and send it."""
    form = visit(client, "/sign-in")
    return shown(client.post("/sign-in", data={"csrf_token": form.csrf, "token": token, **more}))
