"""The base of every struct of the configuration: its fields are checked and normalised when it is made."""

from collections.abc import Callable, Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from msgspec import Meta, Struct
from msgspec.structs import FieldInfo, fields, force_setattr

PARSE = "parse"  # in a Meta's `extra`: a function that returns the value to keep, or raises ValueError


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A section of the configuration file. Its fields may have a parser, under PARSE in their Meta's `extra`.

    A parser raises ValueError with a predicate and its cure, such as `has no port; write 127.0.0.1:8080`. The section
    raises ValueError with the key before that, such as `.listen has no port; ...`.
    """

    def __post_init__(self) -> None:
        for field, parse, is_list in _find_parsers(type(self)):
            value = getattr(self, field.name)
            if value is None:
                continue
            path = f".{field.encode_name}"
            if is_list:
                kept: Any = tuple(_parse(parse, item, f"{path}[{at}]") for at, item in enumerate(value))
            else:
                kept = _parse(parse, value, path)
            force_setattr(self, field.name, kept)


def quote(text: str) -> str:
    """`is '...', which`, shortened; without the text if it may hold a password, as a URL with an `@` may."""
    return f"is {text[:60]!r}, which" if not ("://" in text and "@" in text) else ""


def unwrap(annotation: Any) -> tuple[Any, list[Meta]]:
    """The type without `Annotated` and `None`, and what `Annotated` says about it."""
    metas: list[Meta] = []
    while True:
        arguments = get_args(annotation)
        if get_origin(annotation) is Annotated:
            metas += [each for each in annotation.__metadata__ if isinstance(each, Meta)]
            annotation = arguments[0]
        elif get_origin(annotation) in (Union, UnionType) and NoneType in arguments:
            annotation = Union[tuple(each for each in arguments if each is not NoneType)]  # noqa: UP007 - made here
        else:
            return annotation, metas


def item_type(annotation: Any) -> Any:
    """The type of a list's items; None for any other type."""
    return get_args(annotation)[0] if get_origin(annotation) in (tuple, frozenset) else None


def variants(annotation: Any) -> tuple[type[Section], ...]:
    """The structs that a mapping of this type may be: one, several with a tag each, or none."""
    options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return tuple(each for each in options if isinstance(each, type) and issubclass(each, Section))


@cache
def _find_parsers(kind: type[Section]) -> tuple[tuple[FieldInfo, Callable[[Any], Any], bool], ...]:
    return tuple(_each_parser(kind))


def _each_parser(kind: type[Section]) -> Iterator[tuple[FieldInfo, Callable[[Any], Any], bool]]:
    for field in fields(kind):
        base, metas = unwrap(field.type)
        item = item_type(base)
        if item is not None:
            metas = unwrap(item)[1]
        for meta in metas:
            if meta.extra is not None and PARSE in meta.extra:
                yield field, meta.extra[PARSE], item is not None


def _parse(parse: Callable[[Any], Any], value: Any, path: str) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        found = quote(value) if isinstance(value, str) else ""
        raise ValueError(" ".join(filter(None, (path, found, str(error))))) from None
