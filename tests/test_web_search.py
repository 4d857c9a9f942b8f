"""The search box: from what somebody types or pastes to the page that is meant."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.application import OPEN, open_application
from tests.conftest import Ledger
from tests.events import digest_of, push
from tests.pages import visit

ONE, TWO = digest_of("one"), digest_of("two")


@pytest.fixture
def client(ledger: Ledger, tmp_path: Path) -> FlaskClient:
    """A service that knows three repositories of one registry, called by two hosts."""
    with_alias = OPEN.replace("host:", "aliases: ['localhost:5000'], host:")
    client = open_application(ledger, tmp_path, with_alias, starts=True)
    ledger.receive(
        push("1.0.0", "one", 1),
        push("prod", "one", 2),
        push("1.0.0", "two", 3, repository="team/app-worker"),
        push("main", "two", 4, repository="prod"),
        push("cafe", "two", 5, repository="team/app-worker"),
    )
    return client


@pytest.mark.parametrize(
    ("typed", "page"),
    [
        ("team/app", "/registries/main/team/app"),
        ("team/app:prod", "/registries/main/team/app:prod"),
        ("team/app:gone", "/registries/main/team/app"),
        ("  `registry.example:5000/team/app:1.0.0`, ", "/registries/main/team/app:1.0.0"),
        ("localhost:5000/team/app:1.0.0", "/registries/main/team/app:1.0.0"),
        ("docker://registry.example:5000/team/app:prod", "/registries/main/team/app:prod"),
        (f"registry.example:5000/team/app:1.0.0@{ONE}", f"/digests/{ONE}"),
        (f"team/app@{ONE}", f"/digests/{ONE}"),
        (ONE, f"/digests/{ONE}"),
        (ONE[:19], f"/digests/{ONE}"),
        (ONE[7:15], f"/digests/{ONE}"),
        ("worker", "/registries/main/team/app-worker"),
        ("main", "/registries/main/prod:main"),
    ],
)
def test_one_thing_that_is_meant_is_gone_to_at_once(client: FlaskClient, typed: str, page: str) -> None:
    answer = client.get("/search", query_string={"q": typed})
    assert (answer.status_code, answer.headers.get("Location")) == (303, page)


def test_where_several_may_be_meant_they_are_listed(client: FlaskClient) -> None:
    page = visit(client, "/search?q=1.0.0")
    assert "2 hits for 1.0.0" in page.text
    assert {"/registries/main/team/app:1.0.0", "/registries/main/team/app-worker:1.0.0"} <= set(page.links)
    page = visit(client, "/search?q=prod")
    assert "repository prod" in page.text
    assert "tag team/app:prod" in page.text


def test_a_word_that_also_begins_a_digest_is_looked_for_as_both(client: FlaskClient, ledger: Ledger) -> None:
    beginning = TWO[7:11]
    ledger.receive(push(beginning, "three", 6))
    page = visit(client, f"/search?q={beginning}")
    assert {f"/digests/{TWO}", f"/registries/main/team/app:{beginning}"} <= set(page.links)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("nothing-of-that-name", "No hit for nothing-of-that-name"),
        ("elsewhere.example/team/app:1.0", "no registry is known as elsewhere.example"),
        ("%", "No hit for %"),
        ("a\u202eb", "\\u202e"),
        ("<script>x</script>", "script>x</script"),
        ("sha256:" + "0" * 64, "No hit for sha256:000"),
        ("", "Search for a tag (1.0.0), a repository"),
    ],
)
def test_what_is_not_there_is_said(client: FlaskClient, typed: str, said: str) -> None:
    answer = client.get("/search", query_string={"q": typed})
    page = visit(client, answer.request.full_path)
    assert said in page.text
    assert len(page.find("script")) == 1


def test_the_beginning_of_several_digests_leads_to_none(client: FlaskClient, ledger: Ledger) -> None:
    contents: dict[str, str] = {}
    number = 0
    while True:  # two contents whose digests begin with the same four digits
        beginning = digest_of(f"content {number}")[7:11]
        if beginning in contents:
            break
        contents[beginning] = f"content {number}"
        number += 1
    ledger.receive(push("a", contents[beginning], 6), push("b", f"content {number}", 7))
    assert "No hit for" in visit(client, f"/search?q=sha256:{beginning}").text
