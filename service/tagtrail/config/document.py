"""Reads YAML into the structs of the configuration, and says in one sentence what is wrong with it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec
import yaml
from msgspec import Meta
from msgspec.structs import fields

from tagtrail.config.secrets import ConfigSource, Secret, read_secret
from tagtrail.config.section import Section, item_type, quote, unwrap, variants
from tagtrail.config.values import name_type, require_text
from tagtrail.errors import ConfigurationError

_Struct = TypeVar("_Struct", bound=Section)

_EMPTY: Final = "is empty; give it a value or take the key out"
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_PLACE = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")
_FIELD = re.compile(r"`(?P<key>.*)`$", re.DOTALL)
# Keys that people write, and that are not close to the key's name; `settle` is what `debounce` was called before 0.1.0.
_OTHER_NAMES: Final = {"type": "kind", "settle": "debounce", "to": "channels", "url": "public_url"}


def read_document(content: bytes, *, name: str) -> Any:
    """The content of a YAML file; an empty file is an empty mapping.

    Raises ConfigurationError, without quoting the file, for what is not YAML and for a key that is written twice.
    """
    try:
        loader = yaml.SafeLoader(content)
        root = loader.get_single_node()
        if root is None:
            return {}
        for problem in _find_repeated_keys(root, "", set(), name):
            raise ConfigurationError(problem)
        return loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError(_explain_yaml(error, name)) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigurationError(f"{name} is not valid YAML; save it as plain UTF-8 text, dates in quotes") from None


def _explain_yaml(error: yaml.MarkedYAMLError, name: str) -> str:
    mark = error.problem_mark
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    if mark is not None and "\\t" in (error.problem or ""):
        return f"{name} is not valid YAML{place}: the line is indented with a tab; indent it with spaces"
    problem = _QUOTED.sub("something", error.problem or "it cannot be read")
    return f"{name} is not valid YAML{place}: {problem}; correct it there"


def _find_repeated_keys(node: yaml.Node, path: str, visited: set[int], name: str) -> Iterator[str]:
    """A sentence for each key that its mapping already has. A node that aliases repeat is visited once."""
    if id(node) in visited:
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _find_repeated_keys(item, f"{path}[{index}]", visited, name)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            text = _show_key(key.value)
            key_path = f"{path}.{text}" if path else text
            line = key.start_mark.line + 1
            if str(key.value) in seen:
                yield f"{key_path} is given a second time in line {line} of {name}; keep one of the two"
            seen.add(str(key.value))
            yield from _find_repeated_keys(value, key_path, visited, name)


def _show_key(key: object) -> str:
    """The key on one line of reasonable length, in quotes if it needs them."""
    text = str(key)[:40]
    return text if text.isprintable() else repr(text)


def convert(document: object, kind: type[_Struct], source: ConfigSource, *, path: str = "") -> _Struct:
    """The struct that the document describes; `path` is the key under which it stands.

    Raises ConfigurationError.
    """
    place = _Place(path, kind, document)
    try:
        converted = msgspec.convert(document, kind, dec_hook=partial(_decode, source=source))
    except msgspec.ValidationError as error:
        raise ConfigurationError(_explain(error, place)) from None
    for empty in _find_empty(place):
        raise ConfigurationError(f"{empty.path} {_EMPTY}")
    return converted


def _decode(kind: Any, value: object, *, source: ConfigSource) -> Any:
    """A value of a type that msgspec does not know. Raises ValueError with a predicate and its cure."""
    if kind is Path:
        return source.folder / require_text(value)
    return read_secret(kind, value, source) if issubclass(kind, Secret) else kind.parse(value)


@dataclass(frozen=True, slots=True)
class _Place:
    """A value of the document, its key path and its type."""

    path: str
    annotation: Any
    value: object

    @property
    def base(self) -> Any:
        return unwrap(self.annotation)[0]

    @property
    def metas(self) -> list[Meta]:
        return unwrap(self.annotation)[1]

    def meta(self, attribute: str) -> Any:
        """The innermost word of the annotation on this; None without one."""
        found = (getattr(meta, attribute) for meta in reversed(self.metas))
        return next((each for each in found if each is not None), None)

    def find_fields(self) -> dict[str, Any]:
        """The keys of a mapping with their types: those of the struct, or of the kind that the value names."""
        tags = tuple(each.__struct_config__.tag for each in variants(self.base) if each.__struct_config__.tag)
        known: dict[str, Any] = {"kind": Literal[tags]} if tags else {}
        for struct in self._find_structs():
            known |= {field.encode_name: field.type for field in fields(struct)}
        return known

    def _find_structs(self) -> tuple[type[Section], ...]:
        structs = variants(self.base)
        named = self.value.get("kind") if isinstance(self.value, dict) else None
        return tuple(each for each in structs if each.__struct_config__.tag == named) or structs

    def step(self, key: str | None, index: str | None) -> "_Place":
        """The value under a key, at an index of a list, or (`...`) the one value of the mapping that is wrong."""
        if key is not None:
            value = self.value.get(key) if isinstance(self.value, dict) else None
            return _Place(f"{self.path}.{key}".lstrip("."), self.find_fields().get(key), value)
        if index != "..." and isinstance(self.value, list):
            item = item_type(self.base)
            return _Place(f"{self.path}[{index}]", item, self.value[int(index or 0)])
        _, annotation = get_args(self.base)
        for name, value in self.value.items() if isinstance(self.value, dict) else ():
            try:
                msgspec.convert(value, annotation)
            except msgspec.ValidationError:
                return _Place(f"{self.path}.{_show_key(name)}", annotation, value)
        return self


def _find_empty(place: _Place) -> Iterator[_Place]:
    """Keys without a value, which msgspec takes for those that may be left out."""
    if place.value is None:
        yield place
    elif isinstance(place.value, list):
        for at in range(len(place.value)) if item_type(place.base) is not None else ():
            yield from _find_empty(place.step(None, str(at)))
    elif isinstance(place.value, dict):
        for key in place.find_fields():
            if key in place.value:
                yield from _find_empty(place.step(key, None))


def _explain(error: msgspec.ValidationError, place: _Place) -> str:
    """The error as key path, what is wrong and the cure. A value is quoted only where it cannot be a secret."""
    text = str(error)
    found = _PLACE.search(text)
    message = text[: found.start()] if found else text
    for step in _STEP.finditer(found["path"]) if found else ():
        place = place.step(step["key"], step["index"])
    if found and found["key"]:
        key = (
            next((key for key in place.value if not isinstance(key, str)), "") if isinstance(place.value, dict) else ""
        )
        return f"{place.path or 'the file'} has the key {_show_key(key)}, which is no text; put it in quotes"
    if error.__cause__ is not None:  # one of our own sentences, which may go on with a key
        between = "" if message.startswith((".", " ", "[")) else " "
        return f"{place.path}{between}{message}".lstrip(". ")
    field = _FIELD.search(message)
    if field and message.startswith("Object contains unknown field"):
        return _explain_unknown(place, field["key"])
    if field and message.startswith("Object missing required field"):
        return _explain_missing(place, field["key"])
    return f"{place.path or 'the file'} {_explain_value(message, place)}"


def _explain_value(message: str, place: _Place) -> str:
    if place.value is None:
        return _EMPTY
    if message.startswith("Invalid") or " matching " in message:
        return _explain_text(place)
    if " length " in message:
        return _explain_length(place)
    if message.startswith("Expected `int` "):
        return f"is {place.value}; write {_show_range(place)}"
    wanted, cure = _wanted(place)
    return f"must be {wanted} and is {name_type(place.value)}; {cure}"


def _explain_unknown(place: _Place, key: str) -> str:
    known = place.find_fields()
    kind = place.value.get("kind") if isinstance(place.value, dict) and len(variants(place.base)) > 1 else None
    to, out = (f" to a channel of kind {kind}", "take it out; ") if kind is not None else ("", "")
    close = _suggest(key, known)
    cure = f"did you mean {close}?" if close else f"{out}the keys here are {', '.join(known)}"
    return f"{place.path}.{_show_key(key)} is unknown{to}; {cure}".lstrip(".")


def _suggest(key: str, known: Mapping[str, Any]) -> str | None:
    """The key that was probably meant."""
    if _OTHER_NAMES.get(key) in known:
        return _OTHER_NAMES[key]
    beginning = [each for each in known if len(key) >= 3 and each.startswith(key)]
    return next(iter([*get_close_matches(key, known, n=1), *beginning]), None)


def _explain_missing(place: _Place, key: str) -> str:
    known = place.find_fields()
    for given in place.value if isinstance(place.value, dict) else ():
        if given not in known and _suggest(str(given), known) == key:
            return _explain_unknown(place, str(given))
    missing = _Place(key, known.get(key), None)
    what = (item_type(missing.base) and missing.meta("description")) or "it"
    return f"{place.path}.{key} is missing; write {what}, such as `{key}: {_show_example(missing)}`".lstrip(".")


def _explain_text(place: _Place) -> str:
    """A text that fits no pattern, or is none of the options."""
    text = str(place.value)
    if not text.strip():
        return _EMPTY
    if get_origin(place.base) is Literal:
        return f"is {text[:60]!r}; write {' or '.join(get_args(place.base))}"
    return f"{quote(text)} is no {place.meta('title')}; write {place.meta('description')}"


def _explain_length(place: _Place) -> str:
    count = len(place.value) if isinstance(place.value, list | dict) else 0
    problem = f"has {count} items" if count else f"is an empty {'list' if isinstance(place.value, list) else 'mapping'}"
    return f"{problem}; write {place.meta('description') or 'at least one item, or take the key out'}"


def _show_range(place: _Place) -> str:
    return f"a number from {place.meta('ge')} to {place.meta('le')}"


def _wanted(place: _Place) -> tuple[str, str]:
    """The expected form of the value, with an example."""
    kind = place.base
    if kind is bool:
        return "true or false", "write true or false, without quotes"
    if kind is int:
        return "a whole number", f"write {_show_range(place)}"
    if item_type(kind) is not None:
        return "a list", f"write it as a list, such as `{_show_example(place)}`"
    if variants(kind):
        return "a mapping", f"write it as keys and values, such as `{next(iter(place.find_fields()))}: ...`"
    if get_origin(kind) is dict:
        return "a mapping", f"write it as keys and values, such as `{_show_example(place)}`"
    return "a text", "put it in quotes" if not isinstance(place.value, list | dict) else "write one text"


def _show_example(place: _Place) -> str:
    """An example of the value, on one line of YAML."""
    return yaml.safe_dump(_example(place), default_flow_style=True, width=1_000).removesuffix("...\n").strip()


def _example(place: _Place) -> Any:
    examples = place.meta("examples")
    kind = place.base
    if examples:
        return examples[0]
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if item_type(kind) is not None:
        return [_example(_Place("", item_type(kind), None))]
    if isinstance(kind, type) and issubclass(kind, Secret):
        return {"env": kind.variable}
    if variants(kind):
        struct = variants(kind)[0]
        tag = struct.__struct_config__.tag
        required = {
            field.encode_name: _example(_Place("", field.type, None)) for field in fields(struct) if field.required
        }
        return required | ({"kind": tag} if tag else {})
    return getattr(kind, "example", "...")
