"""Where a secret comes from: an environment variable, a file of its own, or the configuration file itself."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tagtrail.config.document import Node
from tagtrail.config.secrets import Secret, read_secret_file
from tagtrail.errors import ConfigurationError

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the file's words refer to: paths to its folder, variables to `environ`.

    `exposed` says whether other users of the machine can read the file, and with it the secrets written into it.
    `is_patient`: a channel whose secret, or template, is not there is kept, with the reason, and not refused.
    """

    folder: Path
    environ: Mapping[str, str]
    exposed: bool = False
    is_patient: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What kind of secret it is, in a word, with examples of a variable and a file for it.

    `check` raises ValueError, with a predicate and its cure but not the text, where the secret cannot be used.
    """

    what: str
    variable: str
    file: str
    check: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A secret, and in words where it was. `exposed`: other users of this machine can read it there."""

    secret: Secret
    origin: str
    exposed: bool


def find_secret(node: Node, around: Surroundings, wanted: Wanted) -> Found:
    """The secret that the node gives as `env`, `file` or `value`. Nothing of it is ever quoted.

    Raises ConfigurationError.
    """
    if not isinstance(node.value, dict) or set(node.value) not in ({"value"}, {"env"}, {"file"}):
        cure = f"write it as `env: {wanted.variable}` or `file: {wanted.file}`"
        raise node.refuse("is not one of value, env and file", cure)
    (source,) = node.section("value", "env", "file").nodes.items()
    key, value = source
    found, subject = _SOURCES[key](value, around, wanted)
    try:
        wanted.check(found.secret.reveal())
    except ValueError as error:
        raise ConfigurationError(f"{subject} {error}") from None
    return found


def _from_value(node: Node, around: Surroundings, _: Wanted) -> tuple[Found, str]:
    return Found(Secret(node.text()), "the configuration file", around.exposed), node.path


def _from_environment(node: Node, around: Surroundings, wanted: Wanted) -> tuple[Found, str]:
    variable = node.text()
    if not _VARIABLE.fullmatch(variable):
        raise node.refuse("is no variable's name", f"write the name in capital letters, such as {wanted.variable}")
    text = around.environ.get(variable, "").strip()
    if not text:
        raise node.refuse(f"is {variable}, which is not set", f"start tagtrail with the {wanted.what} in {variable}")
    return Found(Secret(text), f"environment variable {variable}", exposed=False), node.path


def _from_file(node: Node, around: Surroundings, wanted: Wanted) -> tuple[Found, str]:
    if "/" not in node.text():
        example = f"{wanted.file} or /run/secrets/{Path(wanted.file).name}"
        raise node.refuse("is no path", f"write it with a slash, such as {example}")
    path = around.folder / node.text()
    subject = f"{node.path} is {str(path)!r}, which"
    try:
        text, exposed = read_secret_file(path, what=wanted.what)
    except ValueError as error:
        raise ConfigurationError(f"{subject} {error}") from None
    return Found(Secret(text), f"file {path}", exposed), subject


_SOURCES = {"value": _from_value, "env": _from_environment, "file": _from_file}
