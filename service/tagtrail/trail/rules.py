"""The rules in force: which tags are fixed, which tags mean an environment, and which registries there are.

They are part of the ledger: a `configuration` line holds them whole, the built-in defaults written out, so that
the trail can be derived again from the lines alone by any later version, whatever its own defaults are by then.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from itertools import chain
from typing import Any, Final, Literal, TypeVar

from tagtrail.trail.automaton import Automaton
from tagtrail.trail.names import Reference, is_tag
from tagtrail.trail.patterns import REPOSITORY_ALPHABET, TAG_ALPHABET, compile_expression, compile_glob

# The tag rules that stand after the configured ones: which tags people mean to be fixed, and which to move.


Kind = Literal["release", "moving"]

_PLATFORM = (
    r"([-_.](linux|windows|darwin|amd64|x86_64|x86-64|x64|386|i386|arm64|arm64v8|aarch64|arm|arm32v6|arm32v7|armhf"
    r"|armv6|armv7|v6|v7|v8|ppc64le|s390x|riscv64|loong64))*"
)
_WORD = (
    r"(latest|newest|current|stable|unstable|rolling|release|lts|default|mainline|head|next|preview|experimental"
    r"|prod|production|live|preprod|pre-production|staging|stage|uat|qa|test|testing|integration|sandbox|demo"
    r"|dev|devel|develop|development|main|master|trunk|edge|nightly|daily|weekly|canary|snapshot|alpha|beta|rc)"
)
_FOLLOWING = (
    r"(latest|snapshot|dev|devel|develop|nightly|daily|weekly|edge|canary|main|master|trunk|head|unstable|rolling)"
)
_TOPIC = r"(pr|mr|pull|merge|issue|branch|feature|feat|fix|bugfix|hotfix|topic|task|renovate|dependabot)"
_DATE = r"(19|20)\d\d[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])"

TABLE: Final[tuple[tuple[Kind, str, str], ...]] = (
    (
        "moving",
        r"(sha256|sha512)-[0-9a-f]{32,}(\..+)?",
        "names a digest whose signatures and attestations it holds: tools write it anew with each one they add",
    ),
    ("moving", rf"(?i){_WORD}{_PLATFORM}", "is a word that follows the newest push of its kind"),
    ("moving", r"(?i)v?\d+(\.\d+)*\.x([-_.].+)?", "has an x for whatever version is the newest"),
    ("moving", rf"(?i){_TOPIC}[-_.].+", "names a branch or a pull request, pushed again with every commit"),
    ("moving", rf"(?i).+[-_.]{_FOLLOWING}{_PLATFORM}", "ends in a word that follows a branch"),
    ("release", rf"(?i)(.+[-_.])?v?{_DATE}([-_.t].+)?", "holds a date: the build of that day"),
    ("release", r"(?i)v?\d+\.\d+(\.\d+)*([-_.a-z].*)?", "is a version"),
    ("release", r"(?i).+[-_.]v?\d+\.\d+\.\d+(\.\d+)*([-_.a-z].*)?", "is a name and a version"),
    ("release", r"((sha|git|commit|rev)[-_.]|g)[0-9a-f]{7,64}([-_.].+)?", "names a commit"),
    ("release", r"v?\d{3,}", "is a number of three or more digits: a build number or a time"),
    ("moving", r"(.+[-_.])?[a-f]{7,}([-_.].+)?", "has a word of the letters a to f, without a digit: no commit"),
    ("release", r"(.+[-_.])?g?[0-9a-f]{7,64}([-_.].+)?", "holds a commit's hash of 7 or more hexadecimal digits"),
    ("release", r"(?i)(build|bld|b|ci|run|job|pipeline|rev|r)[-_.]?\d+([-_.].+)?", "is a build number"),
    ("release", r"(?i)(main|master|trunk|develop|nightly)[-_.]\d+", "is a numbered build of a branch"),
    ("moving", r"(?i)v?\d{1,2}([-_.].+)?", "is a major version, which by common convention follows its newest release"),
    ("moving", r".*", "has nothing in it that looks fixed, such as a version, a date, a commit or a build number"),
)


Syntax = Literal["glob", "regex"]
Authentication = Literal["none", "htpasswd", "token"]

VERSION: Final = 1  # of the JSON form, and of the meaning of its patterns
MOST_BYTES: Final = 48_000  # of the JSON form: a ledger line has room for 60,000
EVERY_REGISTRY: Final = "*"

_REMEMBERED = 20_000  # verdicts kept; each is a few hundred bytes
_T = TypeVar("_T", "TagRule", "EnvironmentRule", "RegistryIdentity")


@dataclass(frozen=True, slots=True)
class TagRule:
    """Tags that match `tag`, in repositories that match the glob `repository`, are of this kind.

    `reason` is for people, and says of the tag why it is so ("is a version"). Raises ValueError for a bad pattern.
    """

    repository: str
    tag: str
    syntax: Syntax
    kind: Kind
    reason: str = ""

    def __post_init__(self) -> None:
        if self.syntax not in ("glob", "regex") or self.kind not in ("release", "moving"):
            raise ValueError(f"a tag rule of syntax {self.syntax!r} and kind {self.kind!r} is unknown to this version")
        self.repositories, self.tags  # noqa: B018 - reading the patterns refuses bad ones

    @property
    def repositories(self) -> Automaton:
        """The pattern of the repositories."""
        return compile_glob(self.repository, alphabet=REPOSITORY_ALPHABET)

    @property
    def tags(self) -> Automaton:
        """The pattern of the tags."""
        compiled = compile_glob if self.syntax == "glob" else compile_expression
        return compiled(self.tag, alphabet=TAG_ALPHABET)

    def matches(self, repository: str, tag: str) -> bool:
        """Whether the rule speaks about this tag."""
        return self.tags.matches(tag) and (self.repository == "**" or self.repositories.matches(repository))


@dataclass(frozen=True, slots=True)
class EnvironmentRule:
    """In repositories that match the glob `repository`, the image of `tag` is released to the environment `name`.

    `registry` is a registry's name, or `*` for all. Raises ValueError for a bad pattern or tag.
    """

    name: str
    repository: str
    tag: str
    registry: str = EVERY_REGISTRY

    def __post_init__(self) -> None:
        if not is_tag(self.tag):
            raise ValueError(f"has {self.tag!r}, which is no tag; an environment is meant by one tag, not by a pattern")
        self.repositories  # noqa: B018 - reading the pattern refuses a bad one

    @property
    def repositories(self) -> Automaton:
        """The pattern of the repositories."""
        return compile_glob(self.repository, alphabet=REPOSITORY_ALPHABET)

    def covers(self, registry: str, repository: str) -> bool:
        """Whether the rule speaks about this repository."""
        return self.registry in (EVERY_REGISTRY, registry) and (
            self.repository == "**" or self.repositories.matches(repository)
        )


@dataclass(frozen=True, slots=True)
class RegistryIdentity:
    """A registry as the ledger knows it; `host` is None where the events' own `request.host` is to be used."""

    name: str
    host: str | None = None
    aliases: tuple[str, ...] = ()
    authentication: Authentication = "none"

    def __post_init__(self) -> None:
        if self.authentication not in ("none", "htpasswd", "token"):
            raise ValueError(f"the authentication {self.authentication!r} is unknown to this version")


DEFAULT_TAG_RULES: Final = tuple(TagRule("**", expression, "regex", kind, reason) for kind, expression, reason in TABLE)
DEFAULT_ENVIRONMENTS: Final = (
    EnvironmentRule("production", "**", "prod"),
    EnvironmentRule("staging", "**", "staging"),
)


class Hosts:
    """The registries' hosts: the configured one, else the one by which a client called the registry."""

    def __init__(self, registries: Iterable[RegistryIdentity]) -> None:
        self._configured = {registry.name: registry.host for registry in registries if registry.host}

    def host(self, registry: str, called: str | None) -> str | None:
        """The registry's host, with its port; `called` is the host that a client named in the line at hand."""
        return self._configured.get(registry, called)

    def reference(
        self, registry: str, called: str | None, repository: str, tag: str | None = None, digest: str | None = None
    ) -> str:
        """`host/repository:tag@digest`, as far as these are known; for display and copying, never fetched."""
        return str(Reference(repository, tag, digest, self.host(registry, called)))


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules in force at one time. `tag_rules` are the configured ones; the defaults stand after them."""

    tag_rules: tuple[TagRule, ...] = ()
    environments: tuple[EnvironmentRule, ...] = DEFAULT_ENVIRONMENTS
    registries: tuple[RegistryIdentity, ...] = ()
    default_tag_rules: tuple[TagRule, ...] = DEFAULT_TAG_RULES
    _explained: dict[tuple[str, str], TagRule] = field(default_factory=dict, init=False, repr=False, compare=False)
    _is_for_all: bool = field(default=False, init=False, repr=False, compare=False)  # whether no tag rule minds where
    hosts: Hosts = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        is_for_all = all(rule.repository == "**" for rule in chain(self.tag_rules, self.default_tag_rules))
        object.__setattr__(self, "_is_for_all", is_for_all)
        object.__setattr__(self, "hosts", Hosts(self.registries))

    @property
    def has_several_registries(self) -> bool:
        """Whether a repository's name alone does not say which registry is meant."""
        return len(self.registries) > 1

    def explain(self, repository: str, tag: str) -> TagRule:
        """The rule that decides whether the tag is a release tag: the first that matches."""
        key = ("**" if self._is_for_all else repository, tag)
        rule = self._explained.get(key)
        if rule is None:
            ordered = chain(self.tag_rules, self.default_tag_rules)
            rule = next((rule for rule in ordered if rule.matches(repository, tag)), DEFAULT_TAG_RULES[-1])
            if len(self._explained) >= _REMEMBERED:
                self._explained.clear()
            self._explained[key] = rule
        return rule

    def is_release(self, repository: str, tag: str) -> bool:
        """Whether the tag is fixed: once pushed, it may neither move nor be deleted."""
        return self.explain(repository, tag).kind == "release"

    def environments_in(self, registry: str, repository: str) -> dict[str, EnvironmentRule]:
        """The environments of a repository by name, each with the rule whose tag means it there.

        That is the first of its rules that covers the repository: in one repository an environment has one tag.
        """
        deciding: dict[str, EnvironmentRule] = {}
        for rule in self.environments:
            if rule.name not in deciding and rule.covers(registry, repository):
                deciding[rule.name] = rule
        return deciding

    def environments_of(self, registry: str, repository: str, tag: str) -> tuple[EnvironmentRule, ...]:
        """Every environment that a move of this tag is a deployment to, in the order of the configuration."""
        if not any(rule.tag == tag for rule in self.environments):
            return ()
        return tuple(rule for rule in self.environments_in(registry, repository).values() if rule.tag == tag)

    def to_json(self) -> dict[str, Any]:
        """A `configuration` line: JSON values without floats, from which `from_json` makes equal rules."""
        return {
            "v": VERSION,
            "default_tag_rules": [asdict(rule) for rule in self.default_tag_rules],
            "environments": [asdict(rule) for rule in self.environments],
            "registries": [asdict(registry) | {"aliases": list(registry.aliases)} for registry in self.registries],
            "tag_rules": [asdict(rule) for rule in self.tag_rules],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Rules":
        """The rules that a line holds. Raises ValueError for anything that this version did not write."""
        lists = {"tag_rules", "environments", "registries", "default_tag_rules"}
        if document.get("v") != VERSION or document.keys() != lists | {"v"}:
            raise ValueError(
                f"rules of version {document.get('v')!r}, written by a tagtrail that is newer than this one"
            )
        return cls(
            tag_rules=_read(document["tag_rules"], TagRule),
            environments=_read(document["environments"], EnvironmentRule),
            registries=_read(document["registries"], RegistryIdentity),
            default_tag_rules=_read(document["default_tag_rules"], TagRule),
        )

    def size(self) -> int:
        """Bytes of the JSON form, to be held against MOST_BYTES."""
        return len(json.dumps(self.to_json(), separators=(",", ":"), ensure_ascii=False).encode())


def _read(documents: object, kind: type[_T]) -> tuple[_T, ...]:
    if not isinstance(documents, list):
        raise ValueError(f"rules that are no list of {kind.__name__} are unknown to this version")  # noqa: TRY004
    return tuple(kind(**_read_fields(document, kind)) for document in documents)


def _read_fields(document: object, kind: type[_T]) -> dict[str, Any]:
    if not isinstance(document, dict) or document.keys() != {known.name for known in fields(kind)}:
        raise ValueError(f"a {kind.__name__} with other fields is unknown to this version")
    read = {key: tuple(value) if key == "aliases" else value for key, value in document.items()}
    for key, value in read.items():
        texts = value if key == "aliases" else () if (key, value) == ("host", None) else (value,)
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f"a {kind.__name__} with {key} = {value!r} is unknown to this version")
    return read
