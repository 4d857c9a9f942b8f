"""Templates: the operator's own text for a message, or a whole JSON body, in a small and sandboxed part of Jinja2.

A template cannot call anything. Its loops run over the message's lists only, a bounded number of times. Every value
that it prints is escaped for the service's markup.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.sandbox import SandboxedEnvironment

from tagtrail.config.channels import ChannelConfig
from tagtrail.errors import TagtrailError
from tagtrail.notify.formatting import Markup, footer, moment, presentable, shorten, units
from tagtrail.notify.message import Message
from tagtrail.trail.names import short_digest

MOST_TEXT: Final = 2_800  # UTF-16 code units of a `template`: with the title this fits into a message of every service
MOST_BODY: Final = 100_000  # of a `body`
_LARGEST_SOURCE: Final = 65_536  # bytes
_MOST_STEPS: Final = 10_000  # of all loops together, for one message

# The parts of Jinja2 that are allowed. Without calls, arithmetic, concatenation and macros no value can grow, and
# without lists of variables none can be nested. So a template's length and its loop steps bound its work.
_ALLOWED: Final = (
    *(nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Tuple, nodes.List),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Neg),
    *(nodes.For, nodes.If, nodes.CondExpr, nodes.Assign),
    *(nodes.Filter, nodes.Test, nodes.Keyword, nodes.Compare, nodes.Operand, nodes.Not, nodes.And, nodes.Or),
)


class TemplateError(TagtrailError):
    """A template cannot be used; the sentence names its file and, where there is one, the line."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        place = str(path) if line is None else f"{path}, line {line}"
        super().__init__(f"{place}: {shorten(reason, 200)}")


class _Ready(str):
    """Text that is already in the service's markup, and is not escaped again."""

    __slots__ = ()


class _Link(str):
    """A URL of tagtrail."""

    __slots__ = ()


class _Json(str):
    """A whole JSON value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class TemplateOutput:
    """The result of a channel's template: `text`, which replaces the sentences, or the whole `body`.

    `error` says what is wrong with the template; the channel then sends its default format.
    """

    text: str | None = None
    body: bytes | None = None
    error: str | None = None


def apply_templates(config: ChannelConfig, message: Message, markup: Markup) -> TemplateOutput:
    """Render the channel's template, if it has one. A broken template gives an `error`, never an exception."""
    try:
        if config.body is not None:
            return TemplateOutput(body=render_body(config.body, message, markup))
        if config.template is not None:
            return TemplateOutput(text=render_text(config.template, message, markup))
    except TemplateError as error:
        return TemplateOutput(error=f"template {error}; the default format was sent instead")
    return TemplateOutput()


def render_text(path: Path, message: Message, markup: Markup) -> str:
    """Render the file to text that replaces the message's sentences. Raises TemplateError."""
    text = _render(path, message, markup, lambda value: value, most=MOST_TEXT).strip()
    if not text:
        raise TemplateError(path, None, "its result is empty for this message")
    return text


def render_body(path: Path, message: Message, markup: Markup) -> bytes:
    """Render the file to JSON: a plain value stands between quotes, `value|tojson` is a whole JSON value.

    Raises TemplateError, also if the result is not JSON.
    """
    text = _render(path, message, markup, lambda value: json.dumps(value, ensure_ascii=False)[1:-1], most=MOST_BODY)
    try:
        document = json.loads(text)
    except ValueError as error:
        raise TemplateError(path, None, f"its result is not JSON: {error}") from None
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def _render(path: Path, message: Message, markup: Markup, quote: Callable[[str], str], *, most: int) -> str:
    """Render the template; `quote` prepares each value for the place where it is printed."""
    source = _read(path)
    environment = _environment(markup, quote)
    try:
        tree = environment.parse(source, str(path), str(path))
        _check(tree, path)
        code = environment.compile(tree, str(path), str(path))
        template = environment.template_class.from_code(environment, code, {})
        return _bounded(template.generate(_values(message)), most)
    except TemplateError:
        raise
    except TemplateSyntaxError as error:
        raise TemplateError(path, error.lineno, error.message or "it cannot be read") from None
    except Exception as error:  # the message is sent, whatever the template does
        raise TemplateError(path, _line_of(error, path), str(error) or type(error).__name__) from None


def _bounded(pieces: Iterable[str], most: int) -> str:
    taken, length = list[str](), 0
    for piece in pieces:
        length += units(piece)
        if length > most:
            raise ValueError(f"its result is longer than {most} characters")
        taken.append(piece)
    return "".join(taken)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            octets = file.read(_LARGEST_SOURCE + 1)
        text = octets.decode("utf-8")
    except OSError as error:
        raise TemplateError(path, None, f"it cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise TemplateError(path, None, "it is not UTF-8 text") from None
    if len(octets) > _LARGEST_SOURCE:
        raise TemplateError(path, None, f"it is larger than {_LARGEST_SOURCE} bytes")
    return text


def _environment(markup: Markup, quote: Callable[[str], str]) -> SandboxedEnvironment:
    steps = 0

    def each(values: object) -> Sequence[object]:
        nonlocal steps
        if not isinstance(values, (tuple, list)):
            raise TypeError("a loop goes over `tags`, `facts`, `sentences`, `copy` or `lines`")
        steps += len(values)
        if steps > _MOST_STEPS:
            raise ValueError(f"its loops take more than {_MOST_STEPS} steps")
        return values

    def printed(value: object) -> str:
        return _print(value, markup, quote)

    environment = SandboxedEnvironment(
        undefined=StrictUndefined, finalize=printed, optimized=False, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.clear()
    environment.filters.clear()
    filters = {
        **_FILTERS,
        "code": lambda value: _Ready(markup.code(str(value))),
        "tojson": lambda value: _Json(json.dumps(_escaped(value, markup), ensure_ascii=False)),
    }
    environment.filters.update({name: _within_bounds(filter_) for name, filter_ in filters.items()}, each=each)
    return environment


def _within_bounds(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with a limit on its result: filters in a row could otherwise double a text without end."""

    def bounded(value: object, *more: object, **named: object) -> object:
        result = filter_(value, *more, **named)
        if isinstance(result, str) and len(result) > MOST_BODY:
            raise ValueError(f"a filter's result is longer than {MOST_BODY} characters")
        return result

    return bounded


def _print(value: object, markup: Markup, quote: Callable[[str], str]) -> str:
    """A value as text. Raises TypeError for a list or an object, and UndefinedError for an undefined value."""
    if isinstance(value, _Json):
        return str(value)
    if isinstance(value, str | Undefined):
        return quote(str(_escaped(value, markup)))
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value).lower()
    raise TypeError(f"a {type(value).__name__} cannot be printed; print its parts, or use `join`")


def _escaped(value: object, markup: Markup) -> object:
    """Text escaped for the service's markup, also inside a list; other values unchanged."""
    if isinstance(value, tuple | list):
        return [_escaped(each, markup) for each in value]
    if isinstance(value, _Link):
        return markup.link(str(value))
    return markup.escape(str(value)) if isinstance(value, str) and not isinstance(value, _Ready) else value


def _check(tree: nodes.Template, path: Path) -> None:
    """Refuse parts of Jinja2 that are not allowed, and make every loop count its steps. Raises TemplateError."""
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            raise TemplateError(path, node.lineno, f"{type(node).__name__.lower()} is not allowed in a template")
        if isinstance(node, nodes.List | nodes.Tuple) and not all(isinstance(item, nodes.Const) for item in node.items):
            raise TemplateError(path, node.lineno, "a list may hold only plain values")
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, "each", [], [], None, None, lineno=loop.lineno)


def _line_of(error: BaseException, path: Path) -> int | None:
    """The line of the template that raised the error, from the template's frames in the traceback."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _values(message: Message) -> dict[str, Any]:
    """The variables of a template: the message's fields, `time` (in UTC) and `footer`."""
    shown = presentable(message)
    values: dict[str, Any] = {field.name: getattr(shown, field.name) for field in fields(shown)}
    link = None if shown.link is None else _Link(shown.link)
    return values | {"link": link, "time": moment(shown.occurred_at), "footer": footer(shown)}


def _join(values: Sequence[str], between: str = ", ") -> str:
    if not isinstance(values, tuple | list):
        raise TypeError("`join` is for `tags`, `sentences` or `lines`")
    return between.join(value for value in values if isinstance(value, str))


def _default(value: object, instead: object = "") -> object:
    return instead if isinstance(value, Undefined) or not value else value


_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "default": _default,
    "first": lambda values: values[0],
    "join": _join,
    "last": lambda values: values[-1],
    "length": len,
    "lower": lambda value: str(value).lower(),
    "short": lambda value: short_digest(str(value)),
    "truncate": lambda value, most=80: shorten(str(value), most),
    "upper": lambda value: str(value).upper(),
}
