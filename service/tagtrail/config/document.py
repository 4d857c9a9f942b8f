"""A YAML file as nodes that know their key path, so that every complaint names the key, what is wrong and the cure."""

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

import yaml

from tagtrail.errors import ConfigurationError

_T = TypeVar("_T")
_Option = TypeVar("_Option", bound=str)

_AMOUNT = re.compile(r"(\d{1,12}) ?([A-Za-z]*)", re.ASCII)
_SIZES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_DURATIONS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "true or false"), (int, "a whole number"), (float, "a decimal number"), (str, "a text"),
    (list, "a list"), (dict, "a mapping"), (datetime.date, "a date"), (type(None), "empty"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file, or of the command line or environment, and the path by which a person finds it.

    Every method raises ConfigurationError. A value of the wrong type is never quoted: it may be a misplaced secret.
    """

    path: str
    value: object = field(repr=False)

    def refuse(self, problem: str, cure: str) -> ConfigurationError:
        """The error that says so in one sentence."""
        return ConfigurationError(f"{self.path} {problem}; {cure}")

    def section(self, *known: str) -> "Section":
        """The value as a mapping that has no other keys than these."""
        if not isinstance(self.value, dict):
            raise self._wrong_type("a mapping", f"write it as keys and values, such as `{known[0]}: ...`")
        prefix = f"{self.path}." if self.path else ""
        for key in self.value:
            if key not in known:
                raise ConfigurationError(f"{prefix}{_show_key(key)} is unknown; {_suggest(str(key), known)}")
        return Section(prefix, {key: Node(f"{prefix}{key}", value) for key, value in self.value.items()})

    def items(self, *, example: str) -> "list[Node]":
        """The values of a list."""
        if not isinstance(self.value, list):
            raise self._wrong_type("a list", f"write it as a list, such as `{example}`")
        return [Node(f"{self.path}[{index}]", value) for index, value in enumerate(self.value)]

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.value, str):
            raise self._wrong_type("a text", "put it in quotes")
        if not self.value.strip():
            raise self.refuse("is empty", "give it a value or take the key out")
        return self.value

    def choice(self, *options: _Option) -> _Option:
        """One of the options."""
        text = self.text()
        for option in options:
            if option == text:
                return option
        raise self.refuse(f"is {text[:60]!r}", f"write {' or '.join(options)}")

    def boolean(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self._wrong_type("true or false", "write true or false, without quotes")
        return self.value

    def integer(self, *, least: int, most: int) -> int:
        """A whole number within the bounds."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self._wrong_type("a whole number", f"write a number from {least} to {most}")
        if not least <= self.value <= most:
            raise self.refuse(f"is {self.value}", f"write a number from {least} to {most}")
        return self.value

    def size(self, *, least: int, most: int) -> int:
        """Bytes, from a text such as `8MiB`; a bare number is refused."""
        return self._amount(_SIZES, least=least, most=most, example="MiB", what="size")

    def duration(self, *, least: int, most: int) -> float:
        """Seconds, from a text such as `30s` or `500ms`; a bare number is refused."""
        second = _DURATIONS["s"]
        amount = self._amount(_DURATIONS, least=least * second, most=most * second, example="s", what="duration")
        return amount / second

    def parse(self, parse: Callable[[str], _T], *, quoted: bool = True) -> _T:
        """What `parse` makes of the text; its ValueError is the predicate, such as `has no port; write one`.

        With `quoted=False` the error does not quote the text, since a secret may be in it.
        """
        text = self.text()
        try:
            return parse(text)
        except ValueError as error:
            found = f"is {text[:60]!r}, which " if quoted else ""
            raise ConfigurationError(f"{self.path} {found}{error}") from None

    def _amount(self, units: dict[str, int], *, least: int, most: int, example: str, what: str) -> int:
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            raise self.refuse(f"is {self.value}, which has no unit", f"write {self.value}{example}")
        text = self.text()
        match = _AMOUNT.fullmatch(text)
        if match is None or match[2] not in units:
            unit = f"write a whole number and one of {', '.join(units)}, such as 8{example}"
            raise self.refuse(f"is {text[:60]!r}, which is no {what}", unit)
        amount = int(match[1]) * units[match[2]]
        if not least <= amount <= most:
            raise self.refuse(f"is {text}", f"write a {what} from {_show(least, units)} to {_show(most, units)}")
        return amount

    def _wrong_type(self, wanted: str, cure: str) -> ConfigurationError:
        found = next((name for known, name in _TYPES if isinstance(self.value, known)), "something else")
        return ConfigurationError(f"{self.path or 'the file'} must be {wanted} and is {found}; {cure}")


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping whose keys are all known."""

    prefix: str
    nodes: dict[str, Node] = field(repr=False)

    def read(self, key: str, read: Callable[[Node], _T], default: _T) -> _T:
        """What `read` makes of the key's value, or the default where the key is left out."""
        return read(self.nodes[key]) if key in self.nodes else default

    def require(self, key: str, *, example: str) -> Node:
        """The key's value, which must be there."""
        if key not in self.nodes:
            raise ConfigurationError(f"{self.prefix}{key} is missing; write it, such as `{key}: {example}`")
        return self.nodes[key]

    def require_one(self, *keys: str, path: str) -> Node:
        """The value of the one key out of `keys` that is there."""
        given = [self.nodes[key] for key in keys if key in self.nodes]
        if len(given) != 1:
            problem = "has none" if not given else "has more than one"
            raise ConfigurationError(f"{path} {problem} of {', '.join(keys)}; give it exactly one")
        return given[0]


def read_document(content: bytes, *, name: str) -> Node:
    """The file's content as a node; an empty file is an empty mapping.

    Raises ConfigurationError, without quoting the file, for what is not YAML and for a key written twice.
    """
    try:
        loader = yaml.SafeLoader(content)
        root = loader.get_single_node()
        if root is None:
            return Node("", {})
        for path, line in _repeated_keys(root, "", set()):
            raise ConfigurationError(f"{path} is given a second time in line {line} of {name}; keep one of the two")
        return Node("", loader.construct_document(root))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        problem = _QUOTED.sub("something", error.problem or "it cannot be read")
        raise ConfigurationError(f"{name} is not valid YAML{place}: {problem}; correct it there") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigurationError(f"{name} is not valid YAML; save it as plain UTF-8 text, dates in quotes") from None


def _repeated_keys(node: yaml.Node, path: str, visited: set[int]) -> Iterator[tuple[str, int]]:
    """The path and line of every key that its mapping has already; what an alias repeats is looked at once."""
    if id(node) in visited:
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _repeated_keys(item, f"{path}[{index}]", visited)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            key_path = f"{path}.{_show_key(key.value)}" if path else _show_key(key.value)
            if str(key.value) in seen:
                yield key_path, key.start_mark.line + 1
            seen.add(str(key.value))
            yield from _repeated_keys(value, key_path, visited)


def _suggest(key: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(key, known, n=1)
    return f"did you mean {close[0]}?" if close else f"the keys here are {', '.join(known)}"


def _show_key(key: object) -> str:
    """The key on one line of reasonable length, in quotes if it needs them."""
    text = str(key)[:40]
    return text if text.isprintable() else repr(text)


def _show(amount: int, units: dict[str, int]) -> str:
    """The amount in the largest unit that keeps it whole."""
    unit = max((unit for unit in units if amount % units[unit] == 0), key=units.__getitem__)
    return f"{amount // units[unit]}{unit}"
