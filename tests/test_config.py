"""The configuration: what it means, what it refuses and with which sentence, and what it never shows."""

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.structs import fields, replace

from tagtrail.access.scopes import SCOPES, hash_token
from tagtrail.config import schema
from tagtrail.config.consistency import find_warnings
from tagtrail.config.describe import examine, render
from tagtrail.config.load import load, with_ingest_token
from tagtrail.config.model import (
    AccessConfig,
    Config,
    ConfigFile,
    EnvironmentConfig,
    LimitsConfig,
    LogConfig,
    ProxyConfig,
    RegistryConfig,
    TagRuleConfig,
)
from tagtrail.config.secrets import AccessToken, IngestToken, Secret, ingest_token
from tagtrail.config.section import Section
from tagtrail.config.values import ListenAddress, Seconds, Size
from tagtrail.errors import ConfigurationError
from tagtrail.trail.rules import DEFAULT_ENVIRONMENTS, EnvironmentRule, TagRule

EXAMPLE = Path(__file__).parent.parent / "config.example.yml"
SECRET = "s3cr3t-0123456789abcdef"
OTHER = "0ther-0123456789abcdef"
CHATS = {
    "OPS_CHAT_URL": "https://chat.example/hooks/s3cr3t-hook",
    "PIPELINE_URL": "https://pipeline.example/s3cr3t-hook",
    "PIPELINE_SECRET": "whsec_czNjcjN0LWhvb2stMDEyMzQ1Njc4OWFiY2RlZg==",
    "MATRIX_TOKEN": "s3cr3t-hook-matrix",
    "TELEGRAM_TOKEN": "s3cr3t-hook-telegram",
}
Load = Callable[..., Config]


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    """Loads a configuration file of this text."""

    def loaded(text: str | bytes, **environ: str) -> Config:
        path = tmp_path / "tagtrail.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        return load(path, environ=environ)

    return loaded


@pytest.fixture
def refusal(load_text: Load) -> Callable[..., str]:
    """The sentence with which a configuration is refused; it is one line and shows no secret."""

    def refused(text: str | bytes, **environ: str) -> str:
        with pytest.raises(ConfigurationError) as caught:
            load_text(text, **environ)
        sentence = str(caught.value)
        assert "\n" not in sentence
        assert SECRET not in sentence
        assert ";" in sentence, "no cure"
        return sentence

    return refused


# What it means


def test_without_any_configuration_everything_has_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(environ={})
    assert config == Config(
        data=tmp_path / "tagtrail-data",
        listen=ListenAddress("127.0.0.1:8080"),
        registries=(RegistryConfig("main"),),
    )
    assert config.may_be_open
    assert list(tmp_path.iterdir()) == []  # loading writes nothing


def test_every_key_arrives_where_it_belongs(load_text: Load, tmp_path: Path) -> None:
    (tmp_path / "edge-token").write_text(f"{OTHER}\n")
    (tmp_path / "edge-token").chmod(0o600)
    config = load_text(
        """
        listen: "[::1]:9090"
        data: kept
        public_url: https://tagtrail.example/
        log: {format: json, level: warning}
        registries:
          - name: main
            host: Registry.Example:5000
            aliases: [localhost:5000, "[::1]:5000"]
            authentication: token
            tokens: [{env: MAIN}, {value: inline-0123456789ab}]
          - {name: edge, tokens: [{file: ./edge-token}]}
        access:
          read: [{env: READ}]
          identity: [{env: READ}]
          deploy: [{env: DEPLOY}]
          proxy:
            addresses: [10.0.0.7, "2001:db8::/64"]
            user_header: Remote-User
            groups_header: Remote-Groups
            groups: {auditors: [read, identity, export], owners: [admin]}
            everyone: [read]
        tag_rules:
          - {repository: team/**, tag: "*-rc", kind: moving}
          - {tag_regex: 'rel-\\d+', kind: release}
        environments: [{name: live, repository: team/*, tag: live, registry: main}]
        limits: {body: 1MiB, workers: 3, request_timeout: 1500ms, stop_timeout: 2m}
        """,
        MAIN=SECRET, READ="read-0123456789abc", DEPLOY="deploy-0123456789a",
    )  # fmt: skip
    main = RegistryConfig(
        name="main", host="registry.example:5000", aliases=("localhost:5000", "[::1]:5000"), authentication="token",
        tokens=(
            IngestToken(SECRET, "environment variable MAIN"),
            IngestToken("inline-0123456789ab", "the configuration file"),
        ),
    )  # fmt: skip
    edge = RegistryConfig(name="edge", tokens=(IngestToken(OTHER, f"file {tmp_path / 'edge-token'}"),))
    assert config == Config(
        data=tmp_path / "kept",
        listen=ListenAddress("[::1]:9090"),
        public_url="https://tagtrail.example",
        log=LogConfig("json", "warning"),
        registries=(main, edge),
        access=AccessConfig(
            read=(AccessToken("read-0123456789abc", "environment variable READ"),),
            identity=(AccessToken("read-0123456789abc", "environment variable READ"),),
            deploy=(AccessToken("deploy-0123456789a", "environment variable DEPLOY"),),
            proxy=ProxyConfig(
                addresses=("10.0.0.7", "2001:db8::/64"),
                user_header="Remote-User",
                groups_header="Remote-Groups",
                groups={"auditors": ("read", "identity", "export"), "owners": ("admin",)},
                everyone=("read",),
            ),
        ),
        tag_rules=(
            TagRuleConfig(repository="team/**", tag="*-rc", kind="moving"),
            TagRuleConfig(tag_regex=r"rel-\d+", kind="release"),
        ),
        environments=(EnvironmentConfig("live", "live", "team/*", "main"),),
        limits=LimitsConfig(Size(2**20), 3, request_timeout=Seconds(1.5), stop_timeout=Seconds(120)),
        source=tmp_path / "tagtrail.yml",
    )
    assert config.rules.tag_rules == (
        TagRule("team/**", "*-rc", "glob", "moving", "fits tag_rules[0] of the configuration"),
        TagRule("**", r"rel-\d+", "regex", "release", "fits tag_rules[1] of the configuration"),
    )
    assert config.rules.environments == (EnvironmentRule("live", "team/*", "live", "main"),)
    assert config.rules.registries == (main.identity, edge.identity)
    assert not config.may_be_open


def test_an_empty_file_is_the_default_configuration(load_text: Load) -> None:
    found = replace(load_text("# nothing\n"), data=Path(), source=None)
    assert found == replace(load(environ={}), data=Path())


def test_no_environments_are_meant_by_an_empty_list(load_text: Load) -> None:
    assert load_text("environments: []").rules.environments == ()
    assert load_text("").rules.environments == DEFAULT_ENVIRONMENTS


@pytest.mark.parametrize(
    ("text", "address", "loopback"),
    [
        ("127.0.0.1:8080", ListenAddress("127.0.0.1:8080"), True),
        ("127.1.2.3:1", ListenAddress("127.1.2.3:1"), True),
        ("[::1]:8080", ListenAddress("[::1]:8080"), True),
        ("localhost:80", ListenAddress("localhost:80"), True),
        ("0.0.0.0:8080", ListenAddress("0.0.0.0:8080"), False),
        ("[::]:8080", ListenAddress("[::]:8080"), False),
        ("192.0.2.7:65535", ListenAddress("192.0.2.7:65535"), False),
        ("tagtrail.internal:8080", ListenAddress("tagtrail.internal:8080"), False),
    ],
)
def test_listen_is_an_address_and_a_port(load_text: Load, text: str, address: ListenAddress, loopback: bool) -> None:
    config = load_text("access: {read: [{env: READ}]}", READ=SECRET, TAGTRAIL_LISTEN=text)
    assert config.listen == address
    assert str(config.listen) == text
    assert config.listen.is_loopback == loopback


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tagtrail.yml"
    path.write_text("{listen: '127.0.0.1:1001', data: from-file}")
    environ = {"TAGTRAIL_CONFIG": str(path)}
    assert load(environ=environ).listen.port == 1001
    assert load(environ=environ).data == tmp_path / "from-file"
    assert load(environ=environ).source == path
    environ |= {"TAGTRAIL_LISTEN": "127.0.0.1:1002", "TAGTRAIL_DATA": "/from/environment"}
    assert load(environ=environ).listen.port == 1002
    assert load(environ=environ).data == Path("/from/environment")
    config = load(environ=environ, listen="127.0.0.1:1003", data="/from/options")
    assert (config.listen.port, config.data) == (1003, Path("/from/options"))
    other = tmp_path / "other.yml"
    other.write_text("listen: 127.0.0.1:1004")
    assert load(other, environ={"TAGTRAIL_CONFIG": str(path)}).listen.port == 1004


def test_empty_variables_count_as_not_set() -> None:
    empty = {"TAGTRAIL_CONFIG": "", "TAGTRAIL_LISTEN": "", "TAGTRAIL_DATA": ""}
    assert load(environ=empty) == load(environ={})


def test_no_other_variable_changes_the_configuration() -> None:
    assert load(environ={"TAGTRAIL_PUBLIC_URL": "https://x.example", "TAGTRAIL_LOG": "json"}) == load(environ={})


PROXY = "{addresses: [10.0.0.7], user_header: Remote-User, everyone: [read]}"


@pytest.mark.parametrize("scope", SCOPES)
def test_any_token_closes_the_service(load_text: Load, scope: str) -> None:
    assert load_text("").may_be_open
    assert not load_text(f"access: {{{scope}: [{{env: T}}]}}", T=SECRET).may_be_open


def test_a_proxy_closes_the_service(load_text: Load) -> None:
    assert not load_text(f"access: {{proxy: {PROXY}}}").may_be_open


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "tagtrail.internal:80", "[::]:80"])
def test_beyond_loopback_a_token_for_reading_is_needed(load_text: Load, listen: str) -> None:
    bare = f"listen: '{listen}'\n"
    assert load_text(bare).needs_stored_token
    assert not load_text(bare).may_be_open
    assert load_text(f"{bare}access: {{deploy: [{{env: A}}]}}", A=SECRET).needs_stored_token
    assert not load_text(f"{bare}access: {{read: [{{env: A}}]}}", A=SECRET).needs_stored_token
    assert not load_text(f"{bare}access: {{proxy: {PROXY}}}").needs_stored_token
    assert not load_text("access: {deploy: [{env: A}]}", A=SECRET).needs_stored_token


def test_a_token_may_have_several_scopes(load_text: Load) -> None:
    config = load_text("access: {read: [{env: A}], export: [{env: B}, {env: A}]}", A=SECRET, B=OTHER)
    assert [(scope, at) for scope, at, _ in config.access.tokens()] == [("read", 0), ("export", 0), ("export", 1)]


@pytest.mark.parametrize(
    ("proxy", "sentence"),
    [
        ("{user_header: Remote-User, everyone: [read]}",
         "access.proxy.addresses is missing; write the proxy's own addresses, since anyone else"),
        ("{user_header: Remote-User, everyone: [read], addresses: []}",
         "access.proxy.addresses is an empty list; write the proxy's own addresses"),
        ("{addresses: [10.0.0.7]}", "access.proxy.user_header is missing; write it, such as `user_header: Remote-"),
        ("{addresses: [0.0.0.0/0], user_header: A, everyone: [read]}", "which is every address there is; write those"),
        ("{addresses: ['::/0'], user_header: A, everyone: [read]}", "which is every address there is; write those"),
        ("{addresses: [proxy.example], user_header: A, everyone: [read]}", "which is no address or network; write 10."),
        ("{addresses: [10.0.0.7], user_header: Remote_User, everyone: [read]}", "is no header that names a user"),
        ("{addresses: [10.0.0.7], user_header: X-Forwarded-For, everyone: [read]}", "is no header that names a user"),
        ("{addresses: [10.0.0.7], user_header: A}", "access.proxy gives no user a scope; write `everyone: [read]`"),
        ("{addresses: [10.0.0.7], user_header: A, groups: {x: [read]}}", "access.proxy has one of groups_header and"),
        ("{addresses: [10.0.0.7], user_header: A, groups_header: a, groups: {x: [read]}}", "has one header for user"),
        ("{addresses: [10.0.0.7], user_header: A, groups_header: B, groups: {x: [write]}}",
         "access.proxy.groups.x[0] is 'write'; write read or identity or deploy or export or admin"),
        ("{addresses: [10.0.0.7], user_header: A, groups_header: B, groups: {'a,b': [read]}}", "has a group 'a,b'"),
        ("{addresses: [10.0.0.7], user_header: A, groups_header: B, groups: {x: []}}", "groups.x is an empty list;"),
        ("{addresses: [10.0.0.7], user_header: A, groups_header: B, groups: []}", "groups must be a mapping and is a"),
    ],
)  # fmt: skip
def test_a_proxy_that_would_let_anyone_in_is_refused(refusal: Callable[..., str], proxy: str, sentence: str) -> None:
    assert sentence in refusal(f"access: {{proxy: {proxy}}}")


# What it refuses


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("listem: x", "listem is unknown; did you mean listen?"),
        ("frobnicate: x", "frobnicate is unknown; the keys here are listen, data"),
        ("log: {levle: info}", "log.levle is unknown; did you mean level?"),
        ("on: x", "the file has the key True, which is no text; put it in quotes"),
        ('"two\\nlines": x', r"'two\nlines' is unknown; the keys"),
        ('{"two\\nlines": x, "two\\nlines": x}', r"'two\nlines' is given a second time in line 1"),
        ("[]", "the file must be a mapping and is a list;"),
        ("listen: 8080", "listen is 8080, which has no host; write 127.0.0.1:8080"),
        ("listen: 9599", "listen is 9599, which has no host; write 127.0.0.1:9599"),
        ("listen: '9599'", "listen is '9599', which is no HOST:PORT; write 127.0.0.1:9599"),
        ("listen: ':8080'", "listen is ':8080', which is no HOST:PORT"),
        ("listen: 127.0.0.1:0", "a port outside 1 to 65535"),
        ("listen: 127.0.0.1:99999", "a port outside 1 to 65535"),
        ("listen: 127.0.0.999:80", "no HOST:PORT"),
        ("listen: '::1:80'", "no HOST:PORT"),
        ("listen: '[127.0.0.1]:80'", "no HOST:PORT"),
        ("listen:", "listen is empty; give it a value or take the key out"),
        ("data: ''", "data is empty; give it a value or take the key out"),
        ("data: 2026-04-20", "data must be a text and is a date;"),
        ("public_url: tagtrail.example", "no plain URL; write https://"),
        ("public_url: https://a.example/?x=1", "no plain URL"),
        ("public_url: https://a.example/tagtrail", "which has a path, and pages stand at the root; give"),
        ("public_url:", "public_url is empty; give it a value or take the key out"),
        ("registries: [{name: a, host: }]", "registries[0].host is empty; give it a value or take the key out"),
        ("env: []", "env is unknown; did you mean environments?"),
        (f"public_url: https://me:{SECRET}@a.example/", "public_url is no plain URL;"),
        ("log: json", "log must be a mapping and is a text; write it as keys and values, such as `format: ...`"),
        ("log: {format: xml}", "log.format is 'xml'; write text or json"),
        ("log: {level: off}", "log.level must be a text and is true or false;"),
        ("limits: {workers: 0}", "limits.workers is 0; write a number from 1 to 64"),
        ("limits: {workers: true}", "limits.workers must be a whole number and is true or false;"),
        ("limits: {workers: 8.0}", "limits.workers must be a whole number and is a decimal number;"),
        ("limits: {body: 8}", "limits.body is 8, which has no unit; write 8MiB"),
        ("limits: {body: 8Mb}", "limits.body is '8Mb', which is no size; write a whole number and one of B, KiB"),
        ("limits: {body: 1B}", "limits.body is 1B; write a size from 1MiB to 256MiB"),
        ("limits: {request_timeout: 10}", "limits.request_timeout is 10, which has no unit; write 10s"),
        ("limits: {request_timeout: 1.5s}", "is '1.5s', which is no duration; write a whole number and one of ms, s"),
        ("limits: {stop_timeout: 1h}", "limits.stop_timeout is 1h; write a duration from 1s to 10m"),
        ("registries: []", "registries is an empty list; write at least one"),
        ("registries: {name: a}", "registries must be a list and is a mapping; write it as a list, such as `[{na"),
        ("registries: [{host: a.example}]", "registries[0].name is missing; write it, such as `name: main`"),
        ("registries: [{name: Main}]", "registries[0].name is 'Main', which is no name; write"),
        ("registries: [{name: 7}]", "registries[0].name must be a text and is a whole number; put it in quotes"),
        ("registries: [{name: a, host: 'https://a.example'}]", "registries[0].host is 'https://a.example', which is"),
        ("registries: [{name: a, host: 'a.example:99999'}]", "no host or host:port"),
        ("registries: [{name: a, aliases: [a b]}]", "registries[0].aliases[0] is 'a b', which is no host"),
        ("registries: [{name: a, authentication: ldap}]", "is 'ldap'; write none or htpasswd or token"),
        ("tag_rules: [{kind: release}]", "tag_rules[0] has none of tag, tag_regex; give it exactly one"),
        ("tag_rules: [{tag: a, tag_regex: a, kind: release}]", "tag_rules[0] has more than one of tag, tag_regex;"),
        ("tag_rules: [{tag: a}]", "tag_rules[0].kind is missing; write it, such as `kind: release`"),
        ("tag_rules: [{tag: 1.10, kind: release}]", "tag_rules[0].tag must be a text and is a decimal number; put"),
        ("tag_rules: [{tag_regex: '(a', kind: release}]", "tag_rules[0].tag_regex is '(a', which has a ( (character"),
        ("tag_rules: [{tag: '-*', kind: release}]", "tag_rules[0].tag is '-*', which can never match"),
        ("tag_rules: [{tag: a, repository: 'a/-b', kind: release}]", "which can never match"),
        ("tag_rules: [{tag: a, repository: Team/*, kind: release}]", "which has 'T' (character 1), which no name can"),
        ("tag_rules: [{tag: a, kind: fixed}]", "tag_rules[0].kind is 'fixed'; write release or moving"),
        ("environments: [{name: live}]", "environments[0].tag is missing;"),
        ("environments: [{name: live, tag: 'live-*'}]", "environments[0].tag is 'live-*', which is no tag;"),
        ("environments: [{name: live, tag: live, registry: edge}]", "environments[0].registry is 'edge', which is not"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_by_key_value_and_cure(refusal: Callable[..., str], text: str, sentence: str) -> None:
    assert sentence in refusal(text)


TOKENS = "registries: [{{name: a, tokens: [{}]}}]"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (TOKENS.format("{env: MISSING}"), "registries[0].tokens[0].env is MISSING, which is not set; start tagtrail"),
        (TOKENS.format("{env: EMPTY}"), "registries[0].tokens[0].env is EMPTY, which is not set;"),
        (TOKENS.format("{env: SHORT}"), "registries[0].tokens[0].env has 9 characters; give it at least 16"),
        (TOKENS.format("{env: LONG}"), "registries[0].tokens[0].env has 1025 characters; give it at most 1024"),
        (TOKENS.format("{env: SPACED}"), "a character that no bearer token can hold;"),
        (TOKENS.format(f"{{env: {SECRET}}}"), "registries[0].tokens[0].env is no variable's name;"),
        (TOKENS.format(f"{{file: {SECRET}}}"), "registries[0].tokens[0].file is no path;"),
        (TOKENS.format("{file: ./missing}"), "missing', which cannot be read (No such file or directory); create it"),
        (TOKENS.format("{file: ./empty}"), "empty', which is empty; write the token into it"),
        (TOKENS.format("{file: ./binary}"), "binary', which cannot be read (it is no text);"),
        (TOKENS.format("{file: ./short}"), "short', which has 4 characters; give it at least 16"),
        (TOKENS.format("{value: 12345678901234567890}"), "tokens[0].value must be a text and is a whole number; put"),
        (TOKENS.format(f"{{valeu: {SECRET}}}"), "registries[0].tokens[0] is not one of value, env and file; write it"),
        (TOKENS.format(f"{{{SECRET}}}"), "registries[0].tokens[0] is not one of value, env and file;"),
        (TOKENS.format(f"{{value: {SECRET}, env: SET}}"), "registries[0].tokens[0] is not one of value, env and file;"),
        (TOKENS.format(SECRET), "registries[0].tokens[0] is not one of value, env and file;"),
        (TOKENS.format(""), "registries[0].tokens is an empty list; write one token, or two while"),
        (TOKENS.format("{env: SET}, {env: B}, {env: C}"), "registries[0].tokens has 3 items; write one"),
        (TOKENS.format("{env: SET}, {env: SAME}"), "tokens[1] is the same token as registries[0].tokens[0]; give"),
        (f"registries: [{{name: a, tokens: {SECRET}}}]", "registries[0].tokens must be a list and is a text;"),
        (f"access: {SECRET}", "access must be a mapping and is a text;"),
        (f"access: {{read: {SECRET}}}", "access.read must be a list and is a text;"),
        ("access: {read: [{env: SET}, {env: SAME}]}", "access.read[1] is the same token as access.read[0]"),
        (TOKENS.format("{env: SET}") + "\naccess: {read: [{env: SAME}]}", "access.read[0] is the same token as regist"),
        (
            "registries: [{name: a, tokens: [{env: SET}]}, {name: b, tokens: [{env: SAME}]}]",
            "registries[1].tokens[0] is the same token as registries[0].tokens[0]; give each its own",
        ),
        ("registries: [{name: a}, {name: b}]", "registries[0] and registries[1] have no tokens, and only one registry"),
    ],
)  # fmt: skip
def test_a_bad_token_is_refused_without_being_shown(
    refusal: Callable[..., str], tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "short").write_text("abcd\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe" * 20)
    environ = {"SET": SECRET, "SAME": SECRET, "B": OTHER, "C": OTHER + "c", "EMPTY": "", "SHORT": SECRET[:9]}
    assert sentence in refusal(text, **environ, LONG=SECRET + "x" * 1002, SPACED=f"{SECRET} {SECRET}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("registries: [{name: a, tokens: [{env: A}]}, {name: a}]", "registries[1].name is 'a', as registries[0].name"),
        (
            "registries: [{name: a, host: x.example, tokens: [{env: A}]}, {name: b, host: X.example}]",
            "registries[1].host is 'x.example', as registries[0].host is already; one host belongs to one registry",
        ),
        (
            "registries: [{name: a, aliases: [x.example], tokens: [{env: A}]}, {name: b, host: x.example}]",
            "registries[1].host is 'x.example', as registries[0].aliases[0] is already;",
        ),
        ("registries: [{name: a, host: x.example, aliases: [x.example]}]", "registries[0].aliases[0] is 'x.example',"),
        (
            "tag_rules: [{tag: a, kind: release}, {repository: '**', tag: a, kind: moving}]",
            "tag_rules[1] has the patterns '**' and 'a' of tag_rules[0], which decides first; take one of them out",
        ),
        (
            "environments: [{name: live, tag: a}, {name: test, tag: b}, {name: live, repository: '**', tag: a}]",
            "environments[2] is 'live' in the repositories of environments[0], which decides; an environment",
        ),
        (
            "{tag_rules: [{repository: team/**, tag: '[pq]*', kind: release}], environments: [{name: p, tag: prod}]}",
            ("environments[0].tag is 'prod', which is a release tag and may never move, at least in repository "
            "'team/a' (it fits tag_rules[0] of the configuration); put a tag rule of kind moving first"),
        ),
        (
            "environments: [{name: live, repository: team/app, tag: v1.2}]",
            ("environments[0].tag is 'v1.2', which is a release tag and may never move, at least in repository "
            "'team/app' (it is a version);"),
        ),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused_with_both_sides(refusal: Callable[..., str], text: str, sentence: str) -> None:
    assert sentence in refusal(text, A=SECRET)


@pytest.mark.parametrize(
    "text",
    [
        # An earlier rule excepts the environment's tag, or its repositories, from the rule that would fix it.
        "tag_rules: [{tag: prod, kind: moving}, {tag: '*', kind: release}]\nenvironments: [{name: p, tag: prod}]",
        "{tag_rules: [{repository: a/**, tag: x, kind: release}], environments: [{name: p, repository: b/**, tag: x}]}",
        # The operator did not write the default environments, so they contradict no rule.
        "tag_rules: [{tag: '*', kind: release}]",
        # The same environment by another tag, or in another registry, is another statement.
        "environments: [{name: p, tag: prod, repository: a/**}, {name: p, tag: live}]",
        "registries: [{name: a}]\nenvironments: [{name: p, tag: prod}, {name: p, tag: prod, registry: a}]",
    ],
)
def test_rules_that_only_look_contradictory_are_accepted(load_text: Load, text: str) -> None:
    load_text(text)


def test_beyond_loopback_a_read_token_is_enough_since_ingest_always_has_one(load_text: Load) -> None:
    config = load_text("{listen: '0.0.0.0:80', access: {read: [{env: A}]}}", A=SECRET)
    assert not config.needs_stored_token
    assert config.registries[0].tokens == ()  # so it is the one in the data directory


def test_too_many_rules_for_a_line_of_the_ledger_are_refused(refusal: Callable[..., str]) -> None:
    rules = "".join(f"  - {{repository: team-{at}/**, tag: 'x{at}*', kind: moving}}\n" for at in range(600))
    assert re.search(r"together are \d{5} bytes.*room for 48000; merge rules", refusal("tag_rules:\n" + rules))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("listen: a\nlisten: b", "listen is given a second time in line 2 of tagtrail.yml; keep one of the two"),
        ("log:\n  level: info\n  format: text\n  level: info\n", "log.level is given a second time in line 4"),
        ("registries:\n- {name: a, name: b}", "registries[0].name is given a second time in line 2"),
        ("log:\n\tlevel: info", "YAML (line 2, column 1): the line is indented with a tab; indent it with spaces"),
        ("log:\n  level: info\n\tformat: text", "(line 3, column 1): the line is indented with a tab; indent it with"),
        ("registries:\n\t- name: a", "(line 2, column 1): the line is indented with a tab; indent it with spaces"),
        ("listen: [", "tagtrail.yml is not valid YAML (line 1, column 10): "),
        ("a: b: c", "not valid YAML (line 1, column 5): mapping values are not allowed here; correct it there"),
        (f"a: *{SECRET}", "not valid YAML (line 1, column 4): found undefined alias something;"),
        (f"a: !{SECRET} b", "not valid YAML (line 1, column 4): could not determine a constructor for the tag some"),
        (f"a: '{SECRET}", "not valid YAML"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        (b"a: \xff\xfe", "tagtrail.yml is not valid YAML; save it as plain UTF-8 text, dates in quotes"),
        ("a: 2026-99-99", "not valid YAML; save it as plain UTF-8 text, dates in quotes"),
        ("a: " + "9" * 5000, "not valid YAML;"),
        ("[" * 5000, "not valid YAML;"),
        ("? [a]\n: b", "not valid YAML"),
        ("a: &a [*a]", "a is unknown;"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_yaml_is_refused_with_the_place_and_no_quotation(
    refusal: Callable[..., str], text: str | bytes, sentence: str
) -> None:
    assert sentence in refusal(text)


def test_an_alias_bomb_is_looked_at_once(refusal: Callable[..., str]) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    assert "a0 is unknown" in refusal(bomb)


@pytest.mark.parametrize(
    ("options", "environ", "sentence"),
    [
        ({"listen": "nowhere"}, {}, "--listen is 'nowhere', which is no HOST:PORT"),
        ({"listen": ""}, {}, "--listen is empty;"),
        ({}, {"TAGTRAIL_LISTEN": "80"}, "TAGTRAIL_LISTEN is '80', which is no HOST:PORT"),
        ({}, {"TAGTRAIL_CONFIG": "/nowhere.yml"}, "TAGTRAIL_CONFIG is '/nowhere.yml', which cannot be read (No such"),
        ({"path": Path("/nowhere.yml")}, {}, "--config is '/nowhere.yml', which cannot be read (No such file"),
        ({"path": Path("/")}, {}, "--config is '/', which cannot be read (Is a directory)"),
    ],
)
def test_options_and_variables_are_refused_under_their_own_name(
    options: dict[str, str], environ: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(sentence)):
        load(**options, environ=environ)  # type: ignore[arg-type]


EVERY_KEY = """
    listen data public_url log format level registries name host aliases authentication tokens value env file access
    read identity deploy export admin proxy addresses user_header groups_header groups everyone
    tag_rules repository tag tag_regex kind environments registry limits body workers
"""
KEYS = st.sampled_from(EVERY_KEY.split())
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.binary(max_size=4), st.text(max_size=20),
    st.sampled_from(["json", "release", "prod", "**", "A", "./f", "8MiB", "10s", "127.0.0.1:80", "a.example", "a|b"]),
)  # fmt: skip
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYS, SCALARS), inner, max_size=3)
        ),
        max_leaves=10,
    ),
    max_size=3,
)


def outcome(path: Path) -> str:
    """The sentence with which the file is refused, empty when it is loaded."""
    try:
        examine(load(path, environ={"A": SECRET}))
    except ConfigurationError as error:
        return str(error)
    return ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS)
def test_any_content_of_the_file_is_loaded_or_refused_in_one_sentence(tmp_path: Path, document: object) -> None:
    path = tmp_path / "tagtrail.yml"
    path.write_text(yaml.safe_dump(document, allow_unicode=False))
    assert "\n" not in outcome(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
)
def test_any_bytes_of_the_file_are_loaded_or_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tagtrail.yml"
    path.write_bytes(content)
    assert "\n" not in outcome(path)


# Secrets


def test_the_ingest_token_is_made_once_and_read_back(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    made = ingest_token(data)
    assert re.fullmatch(r"tt_[A-Za-z0-9_-]{43}", made.reveal())
    assert made.digest == hash_token(made.reveal())
    assert ((data / "ingest-token").stat().st_mode & 0o777, data.stat().st_mode & 0o777) == (0o600, 0o700)
    assert ingest_token(data) == made
    assert ingest_token(tmp_path / "other") != made


def test_only_the_registry_without_tokens_is_given_the_made_one(load_text: Load) -> None:
    config = load_text("{data: kept, registries: [{name: a, tokens: [{env: A}]}, {name: b}]}", A=SECRET)
    completed = with_ingest_token(config)
    assert completed.registries[0] is config.registries[0]
    assert completed.registries[1].tokens == (ingest_token(config.data),)
    own = load_text("{data: none, registries: [{name: a, tokens: [{env: A}]}]}", A=SECRET)
    assert with_ingest_token(own) is own
    assert not own.data.exists()


def test_a_made_token_that_another_key_also_has_is_refused(load_text: Load, tmp_path: Path) -> None:
    made = ingest_token(tmp_path / "kept")
    config = load_text("{data: kept, access: {read: [{env: A}]}}", A=made.reveal())
    with pytest.raises(ConfigurationError, match=re.escape("access.read[0] is the same token as registries[0]")):
        with_ingest_token(config)


def test_an_ingest_token_file_left_empty_by_a_crash_is_refused_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "ingest-token").touch()
    with pytest.raises(ConfigurationError, match=r"ingest-token is empty; .* or delete it"):
        ingest_token(tmp_path)
    assert (tmp_path / "ingest-token").read_bytes() == b""


def test_a_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"data is '.*file/data', which cannot be made a directory"):
        ingest_token(tmp_path / "file" / "data")
    with pytest.raises(ConfigurationError, match=r"data is '.*file', which cannot be made a directory"):
        ingest_token(tmp_path / "file")
    (tmp_path / "dangling").mkdir()
    (tmp_path / "dangling" / "ingest-token").symlink_to("/nowhere/at/all")
    with pytest.raises(ConfigurationError, match=r"ingest-token cannot be read"):
        ingest_token(tmp_path / "dangling")


def test_a_secret_is_shown_by_its_name_only() -> None:
    secret = Secret(SECRET)
    kept = IngestToken(SECRET, "somewhere")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", repr(kept)]
    assert not [text for text in shown if SECRET in text or kept.digest.hex() in repr(kept)]
    assert secret.reveal() == SECRET
    assert secret == Secret(SECRET) != Secret(OTHER)
    assert len({secret, Secret(SECRET)}) == 1
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(secret)


def everything(load_text: Load, tmp_path: Path) -> Config:
    (tmp_path / "old").write_text(OTHER)
    (tmp_path / "old").chmod(0o644)
    text = (
        uncommented(EXAMPLE.read_text()).replace("./registry-token-old", "./old").replace("/run/secrets", str(tmp_path))
    )
    (tmp_path / "tagtrail-read").write_text("read-0123456789abcdef")
    (tmp_path / "tagtrail-read").chmod(0o640)
    for name in ("ops.j2", "ops.json.j2", "smtp-password"):
        (tmp_path / name).write_text("passw0rd")
        (tmp_path / name).chmod(0o640)
    return load_text(text, **CHATS, REGISTRY_TOKEN=SECRET, TAGTRAIL_DEPLOY_TOKEN="deploy-0123456789abcdef")


def test_the_description_names_every_setting_and_no_secret(load_text: Load, tmp_path: Path) -> None:
    config = everything(load_text, tmp_path)
    described = render(examine(config))
    secrets = (
        SECRET,
        OTHER,
        "read-0123456789abcdef",
        "deploy-0123456789abcdef",
        "openssl-rand",
        "s3cr3t-hook",
        "whsec",
    )
    for text in (*secrets, "passw0rd", CHATS["PIPELINE_SECRET"]):
        assert text not in described
        assert text not in repr(config)
    shown_as_sentences = {"repository", "tag", "tag_regex", "kind", "registry", "value", "env", "file"}
    for key in keys_of(yaml.safe_load(uncommented(EXAMPLE.read_text()))) - shown_as_sentences:
        assert re.search(rf"\b{key}\b", described), key
    assert "registries[0].tokens[0]: from environment variable REGISTRY_TOKEN\n" in described
    assert f"registries[0].tokens[1]: from file {tmp_path}/old\n" in described
    assert "tag_rules[1].tag_regex: rel-\\d{4}\n" in described
    assert "the build of that day" in described


def test_the_description_of_the_defaults_says_what_is_open(tmp_path: Path) -> None:
    described = render(examine(load(environ={}, data=tmp_path)))
    assert "listen: 127.0.0.1:8080 (this machine only)\n" in described
    assert f"registries[0].tokens: file {tmp_path}/ingest-token\n" in described
    for scope in ("read", "identity", "deploy", "export"):
        assert f"access.{scope}: none: open on this machine until `tagtrail token create` makes a token\n" in described
    assert "access.admin: none: only tokens that `tagtrail token create` makes\n" in described


def test_files_that_others_can_read_are_warned_of(load_text: Load, tmp_path: Path) -> None:
    warning = find_warnings(everything(load_text, tmp_path))[0]
    assert warning.startswith(f"registries[0].tokens[1]: every user of this machine can read file {tmp_path}/old;")
    path = tmp_path / "tagtrail.yml"
    path.write_text("{access: {read: [{env: A}], deploy: [{value: inline-0123456789ab}]}}")
    path.chmod(0o644)
    (warning,) = find_warnings(load(path, environ={"A": SECRET}))
    assert warning.startswith("access.deploy[0]: every user of this machine can read the configuration file;")
    path.chmod(0o600)
    assert find_warnings(load(path, environ={"A": SECRET})) == ()


def test_open_reading_behind_a_public_url_is_warned_of(load_text: Load) -> None:
    (warning,) = find_warnings(load_text("public_url: https://tagtrail.example"))
    assert warning.startswith("access.read: there is no token, and everyone who reaches public_url (https://tagtrail.")
    assert find_warnings(load_text("public_url: http://localhost:8080")) == ()
    assert find_warnings(load_text("{public_url: 'https://a.example', access: {read: [{env: A}]}}", A=SECRET)) == ()


def test_registries_without_a_host_are_warned_of_together(load_text: Load) -> None:
    registries = "[{name: a}, {name: b, tokens: [{env: A}]}, {name: c, host: c.example, tokens: [{env: B}]}]"
    (warning,) = find_warnings(load_text(f"registries: {registries}", A=SECRET, B=OTHER))
    assert warning.startswith("registries[0].host and registries[1].host: the key is missing, so that references")
    assert find_warnings(load_text("log: {level: info}")) == ()


@pytest.mark.parametrize(
    ("second", "is_warned_of"),
    [
        ("{name: live, tag: prod}", True),
        ("{name: live, tag: prod, repository: team/**}", True),
        ("{name: live, tag: live}", False),
        ("{name: live, tag: prod, repository: other/**}", False),
        ("{name: live, tag: prod, registry: b}", False),
    ],
)
def test_two_environments_on_one_tag_are_warned_of(load_text: Load, second: str, is_warned_of: bool) -> None:
    registries = "[{name: a, host: a.example}, {name: b, host: b.example, tokens: [{env: A}]}]"
    first = "{name: production, tag: prod, repository: team/*, registry: a}"
    warnings = find_warnings(load_text(f"registries: {registries}\nenvironments: [{first}, {second}]", A=SECRET))
    sentence = "environments[0] and environments[1]: both have the tag 'prod' in the same repositories"
    assert [warning.startswith(sentence) for warning in warnings] == [True] * is_warned_of


# The example


def uncommented(text: str) -> str:
    """The example with the keys that it shows commented out: `#` and no space, or more than one."""
    return re.sub(r"^#(?! \S)(?=.)", "", text, flags=re.MULTILINE)


def keys_in(section: type[Section]) -> set[str]:
    return {field.encode_name for field in fields(section)}


def keys_of(document: object) -> set[str]:
    if isinstance(document, dict):
        return set(document).union(*map(keys_of, document.values()))
    return set().union(*map(keys_of, document)) if isinstance(document, list) else set()


def test_the_example_as_it_stands_is_the_default_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE.parent)
    assert replace(load(EXAMPLE, environ={}), source=None) == load(environ={})
    active = yaml.safe_load(EXAMPLE.read_text())
    assert set(active["log"]) == keys_in(LogConfig)
    assert set(active["limits"]) == keys_in(LimitsConfig)
    assert set(active["environments"][0]) == keys_in(EnvironmentConfig)


def test_the_example_names_every_key_and_all_of_it_loads(load_text: Load, tmp_path: Path) -> None:
    document = yaml.safe_load(uncommented(EXAMPLE.read_text()))
    assert set(document) == keys_in(ConfigFile)
    for section, kind in (("log", LogConfig), ("access", AccessConfig), ("limits", LimitsConfig)):
        assert set(document[section]) == keys_in(kind)
    assert set(document["registries"][0]) == keys_in(RegistryConfig)
    assert {key for token in keys_of_tokens(document) for key in token} == {"value", "env", "file"}
    assert set(document["access"]["proxy"]) == keys_in(ProxyConfig)
    assert keys_of(document["tag_rules"]) == {"repository", "tag", "tag_regex", "kind"}
    config = everything(load_text, tmp_path)
    assert [registry.name for registry in config.registries] == ["main", "edge"]
    assert len(config.rules.tag_rules) == 2


def keys_of_tokens(document: dict[str, list[dict[str, list[dict[str, str]]]]]) -> list[dict[str, str]]:
    return [token for registry in document["registries"] for token in registry["tokens"]]


def test_every_key_of_the_example_has_a_comment_before_it() -> None:
    lines = EXAMPLE.read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"#?[a-z_]+:", line):
            before = lines[number - 1] if not line.startswith(("log", "limits")) else lines[number + 1].strip()
            assert re.match(r"# \S", before), line


def test_the_example_does_not_depend_on_the_users_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    load(EXAMPLE, environ={})


def test_the_configuration_is_read_without_the_large_libraries() -> None:
    """A command of the CLI that reads the configuration starts without them."""
    names = ("requests", "flask", "cryptography", "jinja2", "gunicorn")
    code = f"import sys, tagtrail.config.load; print([name for name in {names} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "[]\n"


# The JSON Schema


def test_the_shipped_schema_is_what_the_types_give() -> None:
    """`python -m tagtrail.config.schema` writes it again."""
    assert schema.PATH.read_text() == schema.render()
    first = EXAMPLE.read_text().partition("\n")[0]
    assert (EXAMPLE.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve() == schema.PATH.resolve()


def test_the_example_is_valid_by_the_schema_as_it_stands_and_with_every_key() -> None:
    validator = Draft202012Validator(schema.make_schema())
    validator.check_schema(schema.make_schema())
    for text in (EXAMPLE.read_text(), uncommented(EXAMPLE.read_text())):
        assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "listen: 9599", "env: []", "log: {level: loud}", "limits: {body: 8}", "limits: {workers: 0}",
        "registries: [{name: Main}]", "registries: [{host: a.example}]", "registries: []", "public_url:",
        "notify: {settle: 3s}", "notify: {channels: [{name: a, type: slack, url: {env: A}}]}",
        "notify: {channels: [{name: a, kind: slack, url: https://a.example}]}",
        "notify: {channels: [{name: a, kind: console, token: {env: A}}]}",
    ],
)  # fmt: skip
def test_the_schema_refuses_what_the_types_refuse(text: str, refusal: Callable[..., str]) -> None:
    assert not Draft202012Validator(schema.make_schema()).is_valid(yaml.safe_load(text))
    assert refusal(text)
