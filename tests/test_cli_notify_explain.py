"""`tagtrail notify explain`: which channels a tag's newest move notifies, why, and with which message."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command_line import HOSTILE_AS_SHOWN, CommandLine, tell_story
from tests.conftest import Ledger
from tests.events import delete_repository, digest_of, push

SECRET = "whsec_c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWU="
CHANNELS: list[dict[str, Any]] = [
    {"name": "ops", "kind": "slack", "url": {"value": "https://hooks.example/services/T0/B0/s3cret"}},
    {"name": "out", "kind": "console", "identities": True},
    {"name": "hook", "kind": "webhook", "url": {"env": "NOT_SET"}, "secret": {"file": "./not-there"}},
    {"name": "mail", "kind": "email", "host": "mail.example", "sender": "a@b.example", "to": ["ops@b.example"]},
]
ROUTES: list[dict[str, Any]] = [
    {"channels": ["ops", "out"], "environment": "production"},
    {"channels": ["mail"], "repository": "lab/**"},
    {"channels": ["mail"], "kinds": ["violation"], "registry": "main"},
    {"channels": ["mail"], "registry": "edge"},
    {"channels": ["hook"], "tag": "v*"},
]


def configure(ledger: Ledger, **notify: Any) -> CommandLine:
    """The command line over the ledger, with this section `notify`."""
    section = {"channels": CHANNELS, "routes": ROUTES} | notify
    path = ledger.store.directory / "config.yml"
    path.write_text(yaml.safe_dump({"public_url": "https://tagtrail.example", "notify": section}))
    return CommandLine(ledger.store.directory)


def explain(line: CommandLine, image: str, *more: str) -> str:
    return line.ask("notify", "explain", image, "--config", str(line.data / "config.yml"), *more)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a socket fails."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
def test_it_says_which_routes_match_and_why_the_others_do_not(ledger: Ledger) -> None:
    tell_story(ledger)
    printed = explain(configure(ledger), "team/app:prod")
    assert printed.splitlines()[:8] == [
        "team/app:prod in registry main, line 8: deployed, moved_back, published for production",
        "One message with 1.0.0, stable: the same digest, pushed within 3 s.",
        "",
        "routes[0] matches: ops, out",
        "routes[1] does not match: its repository is lab/**",
        "routes[2] does not match: its kinds are violation, and this is deployed, moved_back",
        "routes[3] does not match: its registry is edge",
        "routes[4] does not match: its tag is v*",
    ]


@pytest.mark.usefixtures("no_network")
def test_it_shows_the_message_as_each_channel_would_get_it(ledger: Ledger) -> None:
    tell_story(ledger)
    printed = explain(configure(ledger), "team/app:prod")
    slack, console = printed.split("\n\n", 2)[2].split("\n\nout (console) would get:\n")
    assert slack.startswith('ops (slack) would get:\n  {\n    "text": "🟠 team/app in production: rollback to ')
    assert json.loads(slack.partition("\n")[2])["blocks"][0]["type"] == "header"
    assert "warning team/app in production: rollback to 1.0.0, which production had for 1 day until " in console
    assert "      By: alice (claimed), bob (claimed)\n" in console
    assert "alice" not in slack


def test_no_secret_is_shown_nor_even_needed(ledger: Ledger) -> None:
    tell_story(ledger)
    routes = [{"channels": [channel["name"] for channel in CHANNELS]}]
    printed = explain(configure(ledger, routes=routes), "team/app:prod") + explain(
        configure(ledger, routes=routes), "team/app:prod", "--json"
    )
    assert "hook (webhook) would get:" in printed
    assert not any(
        secret in printed for secret in ("s3cret", "hooks.example", "NOT_SET", "not-there", "channel.invalid")
    )


def test_nothing_is_written_down_to_be_sent(ledger: Ledger) -> None:
    tell_story(ledger)
    explain(configure(ledger), "team/app:prod")
    assert ledger.rows("SELECT count(*) FROM deliveries") == [(0,)]


def test_with_the_first_match_it_says_who_decided(ledger: Ledger) -> None:
    tell_story(ledger)
    routes = [{"channels": ["mail"], "tag": "prod"}, {"channels": ["ops"]}]
    line = configure(ledger, routes=routes, match="first", debounce="0s")
    (explained,) = line.ask_json("notify", "explain", "team/worker:staging", "--config", str(line.data / "config.yml"))
    assert [(one["matches"], one["why"]) for one in explained["routes"]] == [(False, "its tag is prod"), (True, None)]
    ledger.clock.pass_seconds(60)
    ledger.receive(push("prod", "fresh", 200_000))
    printed = explain(line, "team/app:prod")
    assert "routes[1] does not match: with `match: first` routes[0] has decided already" in printed


def test_a_route_without_an_environment_to_match_says_what_there_is(ledger: Ledger) -> None:
    tell_story(ledger)
    printed = explain(configure(ledger, routes=[{"channels": ["ops"], "environment": "prod*"}]), "team/worker:staging")
    assert "its environment is prod*, and this was published for staging" in printed
    assert printed.endswith("No channel is notified.\n")


def test_quiet_hours_are_said(ledger: Ledger) -> None:
    tell_story(ledger)
    quiet = {"from": "00:00", "until": "23:59", "zone": "UTC"}
    other = {"from": "12:00", "until": "11:59", "zone": "UTC"}
    routes = [{"channels": ["out"], "quiet": quiet}, {"channels": ["mail"], "quiet": other}]
    printed = explain(configure(ledger, routes=routes), "team/app:prod")
    assert printed.count("would get, held back until ") >= 1


def test_without_routes_no_channel_is_notified(ledger: Ledger) -> None:
    tell_story(ledger)
    printed = explain(configure(ledger, routes=[]), "team/app:prod")
    assert "No routes are configured, so no channel is notified; add some under notify.routes." in printed


def test_a_template_is_found_beside_the_configuration_and_a_broken_one_says_so(ledger: Ledger, tmp_path: Path) -> None:
    tell_story(ledger)
    (ledger.store.directory / "ops.j2").write_text("{{ title }}\nby {{ nobody }}")
    channels = [{"name": "ops", "kind": "console", "template": "./ops.j2"}]
    printed = explain(configure(ledger, channels=channels, routes=[{"channels": ["ops"]}]), "team/app:prod")
    assert "ops.j2, line 2: 'nobody' is undefined" in printed


def test_it_is_documents_for_a_program(ledger: Ledger) -> None:
    tell_story(ledger)
    line = configure(ledger)
    (explained,) = line.ask_json("notify", "explain", "team/app:1.0.0", "--config", str(line.data / "config.yml"))
    assert (explained["repository"], explained["tag"], explained["kinds"]) == (
        "team/app",
        "1.0.0",
        ["moved", "violation"],
    )
    assert [(one["channel"], one["held_until"]) for one in explained["channels"]] == [("mail", None)]
    assert f"team/app@{digest_of('one')}" in explained["channels"][0]["preview"]


def test_a_hostile_actor_does_nothing_to_the_terminal(ledger: Ledger) -> None:
    tell_story(ledger)
    printed = explain(configure(ledger, routes=[{"channels": ["out"]}]), "team/app:1.0.0")
    assert HOSTILE_AS_SHOWN in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize(
    ("image", "code", "sentence"),
    [
        ("team/app", 2, "team/app names no tag; write team/app:prod"),
        ("team/app:9.9.9", 1, "no move of team/app:9.9.9 is recorded"),
        ("team/nothing:prod", 1, "the trail knows no repository team/nothing"),
    ],
)
def test_what_cannot_be_explained_says_so(ledger: Ledger, image: str, code: int, sentence: str) -> None:
    tell_story(ledger)
    line = configure(ledger)
    result = line.run("notify", "explain", image, "--config", str(line.data / "config.yml"))
    assert (result.exit_code, sentence in result.stderr) == (code, True)


@pytest.mark.parametrize("tag", ["t000", "t129"])
def test_one_of_more_tags_than_a_message_is_made_of_is_explained_too(ledger: Ledger, tag: str) -> None:
    """130 tags pushed at once, and deleted at once with their repository."""
    line = configure(ledger, routes=[{"channels": ["out"], "tag": tag}])
    ledger.receive(*(push(f"t{number:03}", "many", 50) for number in range(130)))
    assert "routes[0] matches: out" in explain(line, f"team/app:{tag}")
    ledger.receive(delete_repository(60))
    assert "deleted" in explain(line, f"team/app:{tag}").splitlines()[0]
