"""The section `notify`: what it means, what it refuses and with which sentence, and what it never shows."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import asdict

from tagtrail.config.channels import EmailConfig, SlackConfig
from tagtrail.config.consistency import find_warnings
from tagtrail.config.describe import examine, render
from tagtrail.config.load import load, load_notify
from tagtrail.config.model import Config, NotifyConfig, QuietHours, RouteConfig
from tagtrail.config.secrets import Secret, SecretUrl
from tagtrail.config.values import Seconds, TimeOfDay
from tagtrail.errors import ConfigurationError

HOOK = "https://chat.example/hooks/s3cr3t"
SIGNING = "whsec_czNjcjN0LXMzY3IzdC1zM2NyM3QtczNjcjN0IQ=="
ENVIRON = {
    "URL": HOOK,
    "TOKEN": "s3cr3t-token",
    "SIGNING": SIGNING,
    "TWO": f"{SIGNING} {SIGNING}",
    "PASSWORD": "s3cr3t pass",
    "BAD": "s3cr3t bad",
}
MAIL = "kind: email, sender: a@b.example, to: [c@d.example]"
TAGGED = "{channels: [ops], tag: p*"
SLACK = "{name: ops, kind: slack, url: {env: URL}}"
Load = Callable[[str], Config]


@pytest.fixture
def load_section(tmp_path: Path) -> Load:
    """Loads a configuration with this section `notify`; files are there for templates and passwords."""
    for name in ("ops.j2", "ops.json.j2", "password"):
        (tmp_path / name).write_text("s3cr3t-file\n")
        (tmp_path / name).chmod(0o644)
    (tmp_path / "empty").write_text("\n")

    def loaded(text: str) -> Config:
        path = tmp_path / "config.yml"
        path.write_text(f"notify: {text}")
        path.chmod(0o600)
        return load(path, environ=ENVIRON)

    return loaded


# What it means


def test_every_key_arrives_where_it_belongs(load_section: Load, tmp_path: Path) -> None:
    config = load_section(
        """
          debounce: 500ms
          give_up_after: 2h
          silent_after: 30m
          fallback: mail
          match: first
          channels:
            - name: ops
              kind: slack
              url: {env: URL}
              identities: true
              burst: 3
              template: ./ops.j2
              body: ./ops.json.j2
            - {name: mail, kind: email, host: mail.example, sender: a@example.org, to: [b@example.org, c@example.org]}
          routes:
            - channels: [ops]
              repository: team/**
              tag: v*
              environment: prod*
              registry: main
              kinds: [moved, violation]
              quiet: {from: "22:00", until: "07:30", zone: Europe/Berlin}
            - channels: [ops, mail]
        """
    )
    ops = SlackConfig(
        name="ops",
        url=SecretUrl(HOOK, "environment variable URL"),
        identities=True,
        burst=3,
        template=tmp_path / "ops.j2",
        body=tmp_path / "ops.json.j2",
    )
    mail = EmailConfig(
        name="mail",
        host="mail.example",
        port=587,
        sender="a@example.org",
        to=("b@example.org", "c@example.org"),
    )
    narrow = RouteConfig(
        channels=("ops",),
        repository="team/**",
        tag="v*",
        environment="prod*",
        registry="main",
        kinds=frozenset({"moved", "violation"}),
        quiet=QuietHours(TimeOfDay(22), TimeOfDay(7, 30), "Europe/Berlin"),
    )
    assert config.notify == NotifyConfig(
        debounce=Seconds(0.5),
        give_up_after=Seconds(7200),
        silent_after=Seconds(1800),
        fallback="mail",
        match="first",
        channels=(ops, mail),
        routes=(narrow, RouteConfig(("ops", "mail"))),
    )


@pytest.mark.parametrize(
    ("text", "settings", "secrets"),
    [
        ("kind: discord, url: {env: URL}", {}, {"url": HOOK}),
        ("kind: teams, url: {env: URL}", {}, {"url": HOOK}),
        (
            "kind: googlechat, url: {value: 'https://x.example/?key=s3cr3t&token=a%3D'}", {},
            {"url": "https://x.example/?key=s3cr3t&token=a%3D"},
        ),
        (
            "kind: matrix, homeserver: https://m.example/, room: '!r:m.example', token: {env: TOKEN}",
            {"homeserver": "https://m.example", "room": "!r:m.example"}, {"token": "s3cr3t-token"},
        ),
        ("kind: telegram, chat: '-100123', token: {env: TOKEN}", {"chat": "-100123"}, {"token": "s3cr3t-token"}),
        (
            "kind: telegram, chat: '@ops', token: {env: TOKEN}, server: https://telegram.example",
            {"chat": "@ops", "server": "https://telegram.example"}, {"token": "s3cr3t-token"},
        ),
        (
            "kind: webhook, url: {env: URL}, secret: {env: TWO}", {}, {"url": HOOK, "secret": f"{SIGNING} {SIGNING}"}
        ),
        ("kind: ntfy, url: {env: URL}", {}, {"url": HOOK}),
        ("kind: ntfy, url: {env: URL}, token: {env: TOKEN}", {}, {"url": HOOK, "token": "s3cr3t-token"}),
        (
            "kind: gotify, url: https://g.example, token: {env: TOKEN}",
            {"url": "https://g.example"}, {"token": "s3cr3t-token"},
        ),
        ("kind: console", {}, {}),
        ("kind: webhook, url: {env: URL}, secret: {env: SIGNING}", {}, {"url": HOOK, "secret": SIGNING}),
        ("kind: apprise, url: {value: 'pover://s3cr3t@s3cr3t'}", {}, {"url": "pover://s3cr3t@s3cr3t"}),
        (
            f"{MAIL}, host: m.example, tls: tls, user: me, password: {{file: ./password}}",
            {"host": "m.example", "tls": "tls", "port": 465, "user": "me", "sender": "a@b.example"},
            {"password": "s3cr3t-file"},
        ),
        (
            f"{MAIL}, host: localhost, tls: none, port: 2525, user: me, password: {{env: PASSWORD}}",
            {"host": "localhost", "tls": "none", "port": 2525, "user": "me", "sender": "a@b.example"},
            {"password": "s3cr3t pass"},
        ),
    ],
)  # fmt: skip
def test_each_kind_of_channel_has_its_own_keys(
    load_section: Load, text: str, settings: dict[str, object], secrets: dict[str, str]
) -> None:
    (read,) = load_section(f"{{channels: [{{name: a, {text}}}]}}").notify.channels
    values = {key: value for key, value in asdict(read).items() if value is not None}
    found = {key: value for key, value in values.items() if isinstance(value, Secret)}
    common = {"name", "identities", "burst", "to"}
    assert {key: values[key] for key in values.keys() - found.keys() - common} == settings
    assert {key: secret.reveal() for key, secret in found.items()} == secrets
    assert all(secret.origin for secret in found.values())


def test_no_message_is_sent_by_default(tmp_path: Path) -> None:
    assert load(environ={}, data=tmp_path).notify == NotifyConfig()


def test_a_command_that_sends_nothing_needs_neither_secrets_nor_templates(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    channel = "{name: a, kind: slack, url: {env: GONE}, template: ./gone.j2}"
    path.write_text(f"notify: {{channels: [{channel}], routes: [{{channels: [a]}}]}}")
    config = load_notify(path, environ={})
    assert config.routes == (RouteConfig(("a",)),)
    (read,) = config.channels
    assert isinstance(read, SlackConfig)
    assert read.url.reveal() == SecretUrl.placeholder
    assert read.template == tmp_path / "gone.j2"


# What it refuses


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{chanels: []}", "notify.chanels is unknown; did you mean channels?"),
        ("{settle: 3s}", "notify.settle is unknown; did you mean debounce?"),
        ("{debounce: 3}", "notify.debounce is 3, which has no unit; write 3s"),
        ("{debounce: 11m}", "notify.debounce is 11m; write a duration from 0h to 10m"),
        ("{give_up_after: 1s}", "notify.give_up_after is 1s; write a duration from 1m to 720h"),
        ("{silent_after: 1s}", "notify.silent_after is 1s; write a duration from 1m to 8784h"),
        ("{match: some}", "notify.match is 'some'; write all or first"),
        ("{fallback: ops}", "notify.fallback is 'ops', which is no channel; the channels are none yet"),
        ("{channels: [{kind: slack}]}", "notify.channels[0].name is missing; write it, such as `name: ops-chat`"),
        ("{channels: [{name: A b, kind: console}]}", "notify.channels[0].name is 'A b', which is no name; write"),
        ("{channels: [{name: a}]}", "notify.channels[0].kind is missing; write it, such as `kind: slack`"),
        (f"{{channels: [{SLACK}], fallback: b}}", "notify.fallback is 'b', which is no channel; the channels are ops"),
        (
            f"{{channels: [{SLACK}, {SLACK}]}}",
            "notify.channels[1].name is 'ops', as notify.channels[0].name is already; give every channel a name",
        ),
        (f"{{channels: [{SLACK}], routes: [{{}}]}}", "channels is missing; write at least one channel, such as"),
        (f"{{channels: [{SLACK}], routes: [{{channels: []}}]}}", "routes[0].channels is an empty list; write at"),
        (
            f"{{channels: [{SLACK}], routes: [{{channels: [ops, mail]}}]}}",
            "notify.routes[0].channels[1] is 'mail', which is no channel; the channels are ops",
        ),
        (
            f"{{channels: [{SLACK}], match: first, routes: [{TAGGED}}}, {TAGGED}, kinds: [moved]}}]}}",
            "notify.routes[1] is never reached, since routes[0] takes all that it wants and `match` is first; put it",
        ),
    ],
)  # fmt: skip
def test_a_bad_section_is_refused_by_key_value_and_cure(load_section: Load, text: str, sentence: str) -> None:
    assert sentence in refusal(load_section, text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kind: slak", "kind is 'slak'; write slack or discord or teams"),
        ("kind: slack, ulr: {env: URL}", "ulr is unknown to a channel of kind slack; did you mean url?"),
        ("type: slack, url: {env: URL}", "type is unknown; did you mean kind?"),
        ("kind: slack", "url is missing; write it, such as `url: {env: OPS_CHAT_URL}`"),
        (
            "kind: slack, url: {env: URL}, token: {env: TOKEN}",
            "token is unknown to a channel of kind slack; take it out; the keys here are kind, name",
        ),
        ("kind: console, body: ./ops.json.j2", "body is unknown to a channel of kind console;"),
        ("kind: console, to: [a@b.example]", "to is unknown to a channel of kind console;"),
        ("kind: console, identities: 'yes'", "identities must be true or false and is a text; write true or false"),
        ("kind: console, burst: 0", "burst is 0; write a number from 1 to 1000"),
        ("kind: console, template: ./gone.j2", "gone.j2', where there is no file; write the template there"),
        ("kind: matrix, token: {env: TOKEN}, homeserver: m.example, room: '!r:m'", "homeserver is 'm.example', which"),
        (
            "kind: matrix, token: {env: TOKEN}, homeserver: https://m.example, room: r",
            "room is 'r', which is no room; write \"!id:matrix.example\"",
        ),
        ("kind: telegram, token: {env: TOKEN}, chat: 5", "chat must be a text and is a whole number; put it in quotes"),
        ("kind: telegram, token: {env: TOKEN}, chat: ops", "chat is 'ops', which is no chat; write \"-100"),
        (MAIL, "host is missing; write it, such as `host: mail.example`"),
        (f"{MAIL}, host: 'h:25'", "host is 'h:25', which is no host; write mail.example"),
        (f"{MAIL}, host: h, port: 0", "port is 0; write a number from 1 to 65535"),
        ("kind: email, host: h, sender: me, to: [c@d.example]", "sender is 'me', which is no address; write ops@"),
        ("kind: email, host: h, sender: a@b.example, to: []", "to is an empty list; write at least one address"),
        ("kind: email, host: h, sender: a@b.example, to: [d]", "to[0] is 'd', which is no address;"),
        (f"{MAIL}, host: h, user: me", "notify.channels[0] has only one of user and password; give both, or neither"),
        (
            f"{MAIL}, host: h, tls: none, user: me, password: {{env: PASSWORD}}",
            "tls is 'none', and the password would cross the network in the clear; write starttls or tls",
        ),
        ("kind: slack, url: 'https://chat.example/s3cr3t'", "url is not one of value, env and file; write it as"),
        ("kind: slack, url: {env: BAD}", "url.env is no URL; give it the whole URL, from https:// on"),
        ("kind: slack, url: {env: GONE}", "url.env is GONE, which is not set; start tagtrail with the URL in GONE"),
        ("kind: slack, url: {value: 'ftp://s3cr3t.example'}", "url.value is no URL;"),
        ("kind: slack, url: {file: ./empty}", "empty', which is empty; write the URL into it"),
        ("kind: slack, url: {file: ./password}", "password', which is no URL; give it the whole URL"),
        ("kind: webhook, url: {env: URL}, secret: {env: TOKEN}", "secret.env is no signing secret; give it `whsec_`"),
        ("kind: webhook, url: {env: URL}, secret: {value: whsec_czNjcjN0}", "secret.value is no signing secret;"),
        ("kind: webhook, url: {env: URL}, secret: {value: 'whsec_s3cr3t!'}", "secret.value is no signing secret;"),
        ("kind: gotify, url: https://g.example, token: {env: BAD}", "token.env has a character that no token can"),
        ("kind: gotify, url: 'https://me:s3cr3t@g.example', token: {env: TOKEN}", "url is no plain URL;"),
        ("kind: apprise, url: {env: TOKEN}", "url.env is no URL that apprise knows;"),
        ("kind: matrix, url: {env: URL}", "url is unknown to a channel of kind matrix; take it out; the keys"),
    ],
)  # fmt: skip
def test_a_bad_channel_is_refused_by_key_value_and_cure(load_section: Load, text: str, sentence: str) -> None:
    found = refusal(load_section, f"{{channels: [{{name: a, {text}}}]}}")
    assert found.startswith("notify.channels[0]")
    assert sentence in found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kinds: []", "kinds is an empty list; write at least one"),
        ("kinds: [pushed]", "kinds[0] is 'pushed'; write created or moved"),
        ("repository: 'Team/**'", "repository is 'Team/**', which has 'T' (character 1), which no name can hold;"),
        ("tag: '-*'", "tag is '-*', which can never match, since no repository or tag is named like that;"),
        ("environment: Prod", "environment is 'Prod', which can never match"),
        ("env: prod", "env is unknown; did you mean environment?"),
        ("environment: live", "environment is 'live', which fits no environment; the environments are production, s"),
        ("registry: mian", "registry is 'mian', which is not configured; the registries are main"),
        ("kinds: [alert], tag: prod", " sends only alerts, which have no repository, tag and environment; remove"),
        ("quiet: {from: '22:00', until: '07:00'}", "quiet.zone is missing; write it, such as `zone: Europe/Berlin`"),
        (
            "quiet: {from: '22:00', until: '07:00', zone: Berlin}",
            "quiet.zone is 'Berlin', which is no time zone; write one such as Europe/Berlin or UTC",
        ),
        ("quiet: {from: '22:00', until: '07:00', zone: ../passwd}", "quiet.zone is '../passwd', which is no"),
        (
            "quiet: {from: '22:00', until: '7', zone: UTC}",
            "quiet.until is '7', which is no time of day; write one from \"00:00\" to \"23:59\", in quotes",
        ),
        ("quiet: {from: 22:00, until: '07:00', zone: UTC}", "quiet.from must be a text and is a whole number; put it"),
        ("quiet: {from: '07:00', until: '07:00', zone: UTC}", "quiet ends when it begins; write another time under"),
    ],
)  # fmt: skip
def test_a_bad_route_is_refused_by_key_value_and_cure(load_section: Load, text: str, sentence: str) -> None:
    found = refusal(load_section, f"{{channels: [{SLACK}], routes: [{{channels: [ops], {text}}}]}}")
    assert found.startswith("notify.routes[0]")
    assert sentence in found


def refusal(load_section: Load, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_section(text)
    found = str(caught.value)
    assert "\n" not in found
    assert "s3cr3t" not in found
    assert ";" in found, "no cure"
    return found


@pytest.mark.parametrize(
    "routes",
    [
        # With `all`, a wider route does not hide a narrower one.
        "match: all, routes: [{channels: [ops]}, {channels: [ops], tag: prod}]",
        # The first route decides only where it wants it: other kinds, tags or registries go on to the second.
        "match: first, routes: [{channels: [ops], kinds: [moved]}, {channels: [ops]}]",
        "match: first, routes: [{channels: [ops], environment: production}, {channels: [ops], tag: prod}]",
        "routes: [{channels: [ops], kinds: [alert, moved], tag: prod}, {channels: [ops], kinds: [alert]}]",
    ],
)
def test_routes_that_only_look_contradictory_are_accepted(load_section: Load, routes: str) -> None:
    assert len(load_section(f"{{channels: [{SLACK}], {routes}}}").notify.routes) == 2


# What it shows


def test_a_patient_caller_gets_a_channel_whose_secret_or_template_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    gone = "{name: gone, kind: slack, url: {env: GONE}}"
    path.write_text(f"notify: {{channels: [{gone}, {SLACK.replace('}}', '}, template: ./gone.j2}')}]}}")
    with pytest.raises(ConfigurationError, match="GONE, which is not set"):
        load(path, environ=ENVIRON)
    first, second = load(path, environ=ENVIRON, is_patient=True).notify.channels
    assert (first.find_missing(), second.find_missing()) == ("url", None)
    assert second.template == tmp_path / "gone.j2"
    path.write_text(path.read_text().replace("slack", "slak"))
    with pytest.raises(ConfigurationError, match="slak"):
        load(path, environ=ENVIRON, is_patient=True)


def test_the_description_says_where_secrets_come_from_and_never_what_they_are(load_section: Load) -> None:
    config = load_section(
        f"""
          channels:
            - {SLACK}
            - {{name: mail, {MAIL}, host: h, user: me, password: {{file: ./password}}}}
          routes:
            - channels: [ops]
              kinds: [moved, created]
              environment: prod*
              quiet: {{from: "22:00", until: "07:00", zone: UTC}}
            - channels: [ops, mail]
        """
    )
    described = render(examine(config))
    assert "s3cr3t" not in described + repr(config)
    assert "notify.channels[0].url: from environment variable URL\n" in described
    assert "notify.channels[1].to: c@d.example\n" in described
    for line in (
        "notify.routes[0].kinds: created, moved",
        "notify.routes[0].environment: prod*",
        "notify.routes[0].channels: ops",
        "notify.routes[0].quiet.from: 22:00",
        "notify.routes[0].quiet.until: 07:00",
        "notify.routes[0].quiet.zone: UTC",
        "notify.routes[1].channels: ops, mail",
        "notify.routes[1].kinds: all",
    ):
        assert f"  {line}\n" in described


def test_a_secret_that_others_can_read_is_warned_of(load_section: Load, tmp_path: Path) -> None:
    text = f"{{channels: [{{name: a, {MAIL}, host: h, user: me, password: {{file: ./password}}}}]}}"
    warning, _ = find_warnings(load_section(text))
    assert warning == (
        f"notify.channels[0].password: every user of this machine can read file {tmp_path}/password; chmod o-r it"
    )


def test_channels_that_no_route_names_are_warned_of_together(load_section: Load) -> None:
    channels = ", ".join(f"{{name: {name}, kind: console}}" for name in "abcd")
    (warning,) = find_warnings(load_section(f"{{channels: [{channels}], fallback: a, routes: [{{channels: [c]}}]}}"))
    assert warning.startswith("notify.channels[1] and notify.channels[3]: no route names this channel")
