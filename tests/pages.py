"""Pages as a test reads them: through Flask's client, as text, by whoever signed in."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self.elements: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self._unseen += tag in ("script", "style", "title")
        self.links += [value for name, value in attrs if name in ("href", "src", "action") and value]

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in ("script", "style", "title")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.texts.append(data)


@dataclass
class Shown:
    """A page that was answered."""

    status: int
    html: str
    headers: dict[str, str]
    text: str = field(init=False)
    links: list[str] = field(init=False)
    elements: list[str] = field(init=False)

    def __post_init__(self) -> None:
        parser = _Text()
        parser.feed(self.html)
        self.text = " ".join("".join(parser.texts).split())
        self.links = parser.links
        self.elements = parser.elements

    @property
    def csrf(self) -> str:
        """The token of the page's first form."""
        found = _CSRF.search(self.html)
        assert found, "the page has no form that is protected"
        return found[1]


def shown(answer: TestResponse) -> Shown:
    return Shown(answer.status_code, answer.text, dict(answer.headers))


def visit(client: FlaskClient, address: str, **headers: str) -> Shown:
    """Open a page, as a browser would."""
    return shown(client.get(address, headers={"Accept": "text/html", **headers}))


def sign_in(client: FlaskClient, token: str, **more: str) -> Shown:
    """Fill in the form and send it."""
    form = visit(client, "/sign-in")
    return shown(client.post("/sign-in", data={"csrf_token": form.csrf, "token": token, **more}))
