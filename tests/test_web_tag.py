"""The page of a tag: what it is, what it was at a time, its moves, and how to put it back."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.api_client import story
from tests.application import GUARDED, READER, open_application
from tests.conftest import Ledger
from tests.events import INDEX, delete_digest, delete_tag, digest_of, push
from tests.pages import Shown, visit
from tests.test_web_repository import ADDRESS, at


@pytest.fixture
def client(ledger: Ledger, tmp_path: Path) -> FlaskClient:
    return open_application(ledger, tmp_path)


def section(seen: Shown, name: str) -> str:
    """What a part of the page says."""
    [found] = [each for each in seen.find("section") if each["aria-labelledby"] == name]
    return found.text


def moves(seen: Shown) -> list[str]:
    return [row.text for row in seen.find("tr")[1:]]


def commands(seen: Shown) -> list[str]:
    return [each["data-copy"] for each in seen.find("pre", "command")]


def test_it_says_what_the_tag_is_now_and_why_it_may_move(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(*story())
    seen = visit(client, f"{ADDRESS}:prod")
    now = section(seen, "now")
    assert f"registry.example:5000/team/app:prod@{digest_of('index')}" in now
    assert "moving may move: it is a word that follows the newest push of its kind" in now
    assert "production" in now
    assert "release may never move: it is a version" in section(visit(client, f"{ADDRESS}:1.0.0"), "now")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (2, "nothing: it did not exist yet"),
        (3, "1.0.0 sha256:"),
        (15, "1.1.0 sha256:"),
        (19.5, "1.1.0 sha256:"),
        (20, "1.0.0 sha256:"),
    ],
)
def test_it_says_what_the_tag_was_at_a_time(ledger: Ledger, client: FlaskClient, second: float, said: str) -> None:
    ledger.receive(*story())
    picked = at(second).removesuffix("Z")  # as a browser without scripts sends it
    then = section(visit(client, f"{ADDRESS}:prod?at={picked}"), "then")
    assert f"it was {said}" in then
    assert ("line" in then) == (second >= 3)


def test_of_a_deleted_tag_it_says_since_when(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(push("edge", "one", 10), delete_tag("edge", 20, actor="carol"))
    seen = visit(client, f"{ADDRESS}:edge?at={at(30)}")
    assert "deleted 2026-04-20 12:00:20 UTC" in section(seen, "now")
    assert "it was nothing: it was deleted 2026-04-20 12:00:20 UTC" in section(seen, "then")
    assert "by carol" in section(seen, "then")


def test_its_moves_are_listed_newest_first_with_pushes_that_moved_nothing(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(*story())
    rows = moves(visit(client, f"{ADDRESS}:prod"))
    assert [row.split(" sha256")[0] for row in rows] == [
        "moved 2.0",
        "moved back 1.0.0",
        "moved 1.1.0",
        "created 1.0.0",
    ]
    assert "1 time bob" in rows[2]
    assert "violation" in moves(visit(client, f"{ADDRESS}:1.0.0"))[0]


def test_the_list_of_moves_goes_on(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(*(push("edge", str(n), n) for n in range(60)))
    first = visit(client, f"{ADDRESS}:edge")
    [more] = [link["href"] for link in first.find("a", "button") if link.text == "More"]
    rest = visit(client, f"{ADDRESS}:edge{more}")
    assert len(moves(first)) == 40
    assert len(moves(rest)) == 20
    assert "created" in moves(rest)[-1]
    assert len(moves(visit(client, f"{ADDRESS}:edge?since={at(10)}&until={at(15)}"))) == 5


def test_the_way_back_of_an_environment_is_that_of_the_command_line(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(push("prod", "one", 1), push("prod", "two", 10))
    seen = visit(client, f"{ADDRESS}:prod")
    image = f"registry.example:5000/team/app@{digest_of('one')}"
    assert commands(seen) == [
        f"skopeo copy --all --preserve-digests docker://{image} docker://registry.example:5000/team/app:prod",
        f"crane tag {image} prod",
        "\n".join(
            [
                f"docker pull {image}",
                f"docker image tag {image} registry.example:5000/team/app:prod",
                "docker image push registry.example:5000/team/app:prod",
            ]
        ),
    ]
    assert "production It can go back to" in section(seen, "back")
    assert "Think twice" not in section(seen, "back")


def test_any_other_tag_can_be_put_back_to_the_digest_before(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(push("edge", "one", 1), push("edge", "two", 10), push("edge", "three", 20), push("edge", "two", 30))
    back = section(visit(client, f"{ADDRESS}:edge"), "back")
    assert f"@{digest_of('one')}" in back  # three was left by going back
    assert "Think twice" not in back
    ledger.receive(delete_digest("one", 40))
    back = section(visit(client, f"{ADDRESS}:edge"), "back")
    assert f"@{digest_of('three')}" in back
    assert "Think twice: it was itself left by going back to an earlier one." in back


def test_it_warns_of_what_was_deleted_since_and_of_docker(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(push("edge", "one", 1, media_type=INDEX), push("edge", "two", 10))
    back = section(visit(client, f"{ADDRESS}:edge"), "back")
    assert "docker would push your own platform alone" in back
    assert "Think twice" not in back
    ledger.receive(delete_digest("one", 20))
    back = section(visit(client, f"{ADDRESS}:edge"), "back")
    assert "Think twice: the registry has reported its deletion since." in back


def test_without_a_host_there_are_no_commands(ledger: Ledger, tmp_path: Path) -> None:
    client = open_application(ledger, tmp_path, "registries: [{name: main, tokens: [{value: the-token-of-main-01}]}]\n")
    ledger.receive(push("edge", "one", 1, host="registry"), push("edge", "two", 10, host="registry"))
    seen = visit(client, f"{ADDRESS}:edge")
    assert commands(seen) == []
    assert "No commands: without a host that has a dot or a port" in section(seen, "back")


def test_a_tag_that_was_ever_one_digest_has_no_way_back(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(push("edge", "one", 1))
    assert commands(visit(client, f"{ADDRESS}:edge")) == []


def test_people_are_left_out_for_those_who_may_not_know(ledger: Ledger, tmp_path: Path) -> None:
    client = open_application(ledger, tmp_path, GUARDED)
    ledger.receive(push("edge", "one", 1, actor="alice"), push("edge", "two", 10, actor="alice"))
    answer = visit(client, f"{ADDRESS}:edge?at={at(5)}", token=READER).html
    assert "alice" not in answer
    assert "nobody named" not in answer


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"{ADDRESS}:never", 404),
        ("/registries/main/team/other:prod", 404),
        ("/registries/other/team/app:prod", 404),
        (f"{ADDRESS}:edge?at=yesterday", 400),
        (f"{ADDRESS}:edge?cursor=x", 400),
        (f"{ADDRESS}:edge?when=now", 400),
        (f"{ADDRESS}:{'x' * 129}", 400),
    ],
)
def test_what_is_not_recorded_or_cannot_be_asked_is_said(
    ledger: Ledger, client: FlaskClient, address: str, status: int
) -> None:
    ledger.receive(push("edge", "one", 1))
    visit(client, address, status=status)
