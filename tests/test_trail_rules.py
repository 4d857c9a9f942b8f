"""Tag rules, environments and the patterns they are made of."""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtrail.trail.automaton import find_common
from tagtrail.trail.patterns import REPOSITORY_ALPHABET, TAG_ALPHABET, compile_expression, compile_glob
from tagtrail.trail.rules import (
    DEFAULT_ENVIRONMENTS,
    DEFAULT_TAG_RULES,
    EnvironmentRule,
    RegistryIdentity,
    Rules,
    TagRule,
)

RELEASES = """
    1.0.0 v1.2 1.2 1.2.3.4 1.2.3-rc.1 1.0rc1 1.0.0-alpine 1.2.3_amd64 1.0.0-dev.3 v10.20.30 1.2.3-SNAPSHOT.20260420
    2026.04.20 2026-04-20 20260420 20260420-1 20260420T140359Z 2026-04-20_14-03 nightly-20260420
    bookworm-20260406-slim sha-abc1234 sha-deadbee git-abc1234 abc1234 1234567 main-abc1234 gabc1234
    0123456789abcdef0123456789abcdef01234567 123 4711 1745157839 20260420140359 v100 build-123 build7 b123 ci-9
    pipeline_12 main-42 release-1.2.3 app-v1.2.3
"""
MOVING = """
    latest stable Latest prod production staging dev main master edge nightly canary unstable next beta team Feature
    foo-bar jammy 3 v3 17 3-alpine 17-jdk 1.x v1.2.x 1.2.x-alpine 1.0-latest 1.0.0-SNAPSHOT 1.0.0-dev main-nightly
    1.2.3-latest-arm64 latest-amd64 stable-linux-arm64 prod-x86_64 edge-386 pr-123 PR-9-abc1234 feature-20260420
    defaced main-defaced abc123 2026-04 release-1.2 _
"""
TEXT = st.text(alphabet="ab1.-_/xX", max_size=10)


ATOM = st.sampled_from(["a", "b", ".", r"\d", r"\.", "[ab]", "[^a]", "[a-x]", r"\w", "-", "X", r"\W"])
EXPRESSION = st.recursive(
    ATOM,
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("({}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "{0,2}"])),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("tag", RELEASES.split())
def test_by_default_what_looks_fixed_is_a_release_tag(tag: str) -> None:
    assert Rules().is_release("team/app", tag), Rules().explain("team/app", tag)


@pytest.mark.parametrize("tag", MOVING.split())
def test_by_default_words_and_what_follows_a_branch_may_move(tag: str) -> None:
    assert not Rules().is_release("team/app", tag), Rules().explain("team/app", tag)


def test_a_digests_signature_tag_may_move_since_tools_rewrite_it() -> None:
    digest = "sha256-" + "0123456789abcdef" * 4
    assert [Rules().is_release("a", tag) for tag in (digest, f"{digest}.sig", f"{digest}.att")] == [False] * 3


def test_every_default_decides_some_tag_and_gives_a_reason_of_one_line() -> None:
    tags = [*RELEASES.split(), *MOVING.split(), "sha256-" + "ab" * 32]
    deciding = {Rules().explain("team/app", tag) for tag in tags}
    assert deciding == set(DEFAULT_TAG_RULES)
    assert all(rule.reason and "\n" not in rule.reason for rule in DEFAULT_TAG_RULES)


def test_the_first_rule_that_matches_decides_and_configured_ones_come_before_the_defaults() -> None:
    first = TagRule("team/*", "1.0*", "glob", "moving", "fits tag_rules[0] of the configuration")
    second = TagRule("**", r"1\.\d", "regex", "release")
    rules = Rules(tag_rules=(first, second))
    assert rules.explain("team/app", "1.0") is first
    assert rules.explain("other/app", "1.0") is second
    assert rules.explain("team/app", "1.0") is first  # remembered verdicts are per repository
    assert rules.explain("team/app", "2.0.0") in DEFAULT_TAG_RULES


def test_a_tag_that_no_rule_fits_may_move() -> None:
    assert not Rules(default_tag_rules=()).is_release("team/app", "1.0.0")


def test_every_environment_that_matches_counts() -> None:
    everywhere = EnvironmentRule("production", "**", "prod")
    here = EnvironmentRule("team-live", "team/**", "prod", registry="main")
    rules = Rules(environments=(everywhere, here))
    assert rules.environments_of("main", "team/app", "prod") == (everywhere, here)
    assert rules.environments_of("edge", "team/app", "prod") == (everywhere,)
    assert rules.environments_of("main", "other/app", "prod") == (everywhere,)
    assert rules.environments_of("main", "team/app", "prod2") == ()


def test_in_one_repository_an_environment_is_meant_by_the_tag_of_its_first_rule() -> None:
    rules = Rules(
        environments=(EnvironmentRule("production", "legacy/**", "live"), EnvironmentRule("production", "**", "prod"))
    )
    assert [rule.tag for rule in rules.environments_of("main", "team/app", "prod")] == ["prod"]
    assert rules.environments_of("main", "legacy/app", "prod") == ()
    assert [rule.tag for rule in rules.environments_of("main", "legacy/app", "live")] == ["live"]


def test_the_default_environments_are_production_and_staging_in_every_repository() -> None:
    found = {tag: Rules().environments_of("any", "a/b/c", tag) for tag in ("prod", "production", "staging", "latest")}
    names = {tag: [environment.name for environment in environments] for tag, environments in found.items()}
    assert names == {"prod": ["production"], "production": [], "staging": ["staging"], "latest": []}


def some_rules() -> Rules:
    return Rules(
        tag_rules=(
            TagRule("team/**", r"(?i)rel-\d{4}", "regex", "release", "fits it"),
            TagRule("**", "x*", "glob", "moving"),
        ),
        environments=(*DEFAULT_ENVIRONMENTS, EnvironmentRule("live", "team/*", "live", "main")),
        registries=(
            RegistryIdentity("main", "registry.example:5000", ("localhost:5000",), "token"),
            RegistryIdentity("edge"),
        ),
    )


@pytest.mark.parametrize("rules", [Rules(), Rules(environments=()), some_rules()])
def test_rules_come_back_identical_from_json(rules: Rules) -> None:
    text = json.dumps(rules.to_json(), sort_keys=True)
    assert Rules.from_json(json.loads(text)) == rules
    assert json.dumps(Rules.from_json(json.loads(text)).to_json(), sort_keys=True) == text


def test_the_json_form_holds_the_defaults_in_full_so_that_later_defaults_change_nothing() -> None:
    document = Rules().to_json()
    document["default_tag_rules"] = [rule for rule in document["default_tag_rules"] if rule["reason"] != "is a version"]
    assert not Rules.from_json(document).is_release("team/app", "1.0.0")
    assert Rules().is_release("team/app", "1.0.0")


def test_the_json_form_has_no_floats_and_knows_its_size() -> None:
    text = json.dumps(some_rules().to_json(), separators=(",", ":"))
    json.loads(text, parse_float=lambda number: pytest.fail(f"a float: {number}"))
    assert some_rules().size() == len(text)
    assert Rules().size() < 8_000


def change(document: object, path: list[str | int], value: object) -> object:
    """The document with the value at the path replaced, or added."""
    copy = json.loads(json.dumps(document))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["v"], 2),
        (["channels"], []),
        (["tag_rules"], {}),
        (["tag_rules", 0], "rule"),
        (["tag_rules", 0, "kind"], "frozen"),
        (["tag_rules", 0, "syntax"], "re2"),
        (["tag_rules", 0, "until"], "2027"),
        (["tag_rules", 0, "tag"], "(?<=a)b"),
        (["tag_rules", 0, "tag"], None),
        (["environments", 0, "tag"], "prod-*"),
        (["environments", 0, "repository"], 1),
        (["registries", 0, "authentication"], "oidc"),
        (["registries", 0, "aliases"], [1]),
    ],
)
def test_rules_of_a_later_version_are_refused(path: list[str | int], value: object) -> None:
    document = change(some_rules().to_json(), path, value)
    assert isinstance(document, dict)
    with pytest.raises(ValueError, match=r"version|has"):
        Rules.from_json(document)


def test_missing_parts_are_refused() -> None:
    for part in some_rules().to_json():
        document = some_rules().to_json()
        del document[part]
        with pytest.raises(ValueError, match="version"):
            Rules.from_json(document)


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("**", ["app", "a/b", "a/b/c"], []),
        ("*", ["app"], ["a/b"]),
        ("team/*", ["team/app"], ["team", "team/a/b", "steam/app"]),
        ("team/**", ["team/app", "team/a/b"], ["team", "teams/a"]),
        ("**/app", ["app", "a/app", "a/b/app"], ["xapp", "a/xapp", "app/a"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["az", "a/bz", "ab/z"]),
        ("te**", ["te", "team", "te/am"], ["t"]),
        ("t?am", ["team"], ["tam", "t/am"]),
        ("[a-c1]x", ["ax", "cx", "1x"], ["dx", "x"]),
        ("[!a-c]x", ["dx", "-x"], ["ax", "/x"]),
        ("[^a]x", ["bx"], ["ax"]),
        ("a.b", ["a.b"], ["axb"]),
    ],
)
def test_globs_match_by_path_segments(glob: str, matching: list[str], other: list[str]) -> None:
    compiled = compile_glob(glob, alphabet=REPOSITORY_ALPHABET)
    assert [text for text in [*matching, *other] if compiled.matches(text)] == matching


@given(expression=EXPRESSION, texts=st.lists(TEXT, max_size=20))
def test_expressions_match_what_pythons_do(expression: str, texts: list[str]) -> None:
    ours = compile_expression(expression, alphabet=TAG_ALPHABET + "/")
    for text in texts:
        assert ours.matches(text) == bool(re.fullmatch(expression, text, re.ASCII)), text


@given(expression=st.text(alphabet=r"ab(|)*+?{}12,[]^-\d.$i:", max_size=12), texts=st.lists(TEXT, max_size=5))
def test_an_expression_is_refused_or_means_what_it_means_in_python(expression: str, texts: list[str]) -> None:
    try:
        ours = compile_expression(expression, alphabet=TAG_ALPHABET + "/")
    except ValueError:
        return
    for text in texts:
        assert ours.matches(text) == bool(re.fullmatch(expression, text, re.ASCII)), text


def test_case_is_ignored_on_request() -> None:
    compiled = compile_expression("(?i)v[a-b]x", alphabet=TAG_ALPHABET)
    assert compiled.matches("VaX")
    assert not compile_expression("v[a-b]x", alphabet=TAG_ALPHABET).matches("Vax")


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "is empty"),
        ("(a", r"a \( \(character 1\) that is never closed"),
        ("a)", r"a \) \(character 2\)"),
        ("[a", "never closed"),
        ("[]", "no character fits"),
        ("[z-a]", "backwards"),
        ("a**", "repeats a repetition"),
        ("a{1}?", "repeats a repetition"),
        ("+a", "nothing to repeat"),
        ("a{0}", "no count"),
        ("a{3,2}", "no count"),
        ("a{999}", "no count"),
        ("a|", "empty alternative"),
        ("(?=a)b", "earlier rule"),
        (r"\s", r"only \\d"),
        ("a b", "no name can hold"),
        ("a$b", "no name can hold"),
        ("x" * 501, "500 characters"),
        ("((a{9}){9}){9}", "too large"),
        ("(a?b?c?d?){60}", "too intricate"),
    ],
)
def test_a_bad_expression_is_refused_with_its_place_or_cure(expression: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        compile_expression(expression, alphabet=TAG_ALPHABET)


@pytest.mark.parametrize("glob", ["Team/*", "registry:5000/app", "{a,b}", "a\\*", "[", "[/]", ""])
def test_a_bad_repository_glob_is_refused(glob: str) -> None:
    with pytest.raises(ValueError, match=r"has|is empty"):
        compile_glob(glob, alphabet=REPOSITORY_ALPHABET)


@pytest.mark.parametrize("expression", ["(a+)+b", "(a|a)*b", "(a*)*b", "(a|aa)+b", ".*a.*a.*a.*a.*a.*b", ".*a.{60}b"])
def test_no_tag_takes_long_whatever_the_expression(expression: str) -> None:
    """Python's `re` would take longer than the universe for the first of these; a second is generous here."""
    compiled = compile_expression(expression, alphabet=TAG_ALPHABET)
    started = time.process_time()
    assert not compiled.matches("a" * 127 + "c")
    assert time.process_time() - started < 1


def test_what_is_remembered_stays_bounded() -> None:
    rules = Rules()
    compiled = compile_expression(".*a.{12}", alphabet=TAG_ALPHABET)
    for number in range(25_000):
        rules.explain("team/app", f"1.0.{number}")
        compiled.matches(f"{number:b}".replace("1", "a"))
    assert len(rules._explained) <= 20_000
    assert len(compiled._remembered) <= 4_096


def test_common_texts_of_patterns_are_found_and_exceptions_respected() -> None:
    def common(*globs: str, none: tuple[str, ...] = ()) -> str | None:
        compiled = [compile_glob(text, alphabet=REPOSITORY_ALPHABET) for text in globs]
        excluded = [compile_glob(text, alphabet=REPOSITORY_ALPHABET) for text in none]
        return find_common(compiled, none=excluded, alphabet=REPOSITORY_ALPHABET)

    assert common("team/**", "*/app") == "team/app"
    assert common("team/*", "other/**") is None
    assert common("team/ab*", none=("team/ab",)) == "team/aba"
    assert common("team/ab*", none=("team/**",)) is None
