"""The tree tells the story: who may import whom."""

import ast
import sys
from collections.abc import Collection
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tagtrail

ROOT = Path(tagtrail.__file__).parent
# The rooms from the ground floor up: a room imports itself and those before its group, never one beside or after it.
GROUPS: tuple[tuple[str, ...], ...] = (
    ("trail", "errors", "__init__"),
    ("line", "logs", "headers"),
    ("store",),
    ("ledger",),
    ("access", "wording"),
    ("config",),
    ("tlog",),
    ("intake", "export", "notify"),
    ("api", "health"),
    ("web",),
    ("app",),
    ("server",),
    ("cli",),
)
# Who alone may know of what lies outside.
OUTSIDE: dict[str, set[str]] = {
    "sqlite3": {"store"},
    "pysqlite3": {"store"},
    "sqlite_utils": {"store"},
    "flask": {"api", "web", "health", "headers", "app"},
    "flask_wtf": {"web"},
    "werkzeug": {"api", "web", "health", "app"},
    "gunicorn": {"server"},
    "click": {"cli", "__main__"},
    "rich": {"cli"},
    "yaml": {"config"},
    "requests": {"notify"},
    "urllib3": {"notify"},
    "jinja2": {"notify"},
    "markupsafe": {"notify", "web"},
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if node.module == "tagtrail" else {node.module or ""}
    return found


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def allowed_rooms(room: str) -> set[str]:
    for at, group in enumerate(GROUPS):
        if room in group:
            return {room, *(each for lower in GROUPS[:at] for each in lower)}
    return {"cli"}  # __main__


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    allowed = allowed_rooms(room_of(path))
    for name in imports(path):
        if name.startswith("tagtrail."):
            inside = name.removeprefix("tagtrail.")
            assert inside == "__version__" or inside.partition(".")[0] in allowed, f"{path} imports {name}"
        elif name.partition(".")[0] in OUTSIDE:
            assert room_of(path) in OUTSIDE[name.partition(".")[0]], f"{path} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "trail").glob("*.py")), ids=lambda path: path.name)
def test_the_trail_knows_only_the_standard_library(path: Path) -> None:
    for name in imports(path):
        assert name.startswith("tagtrail.trail") or name.partition(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"
    assert path.stem not in ("utils", "helpers", "common", "misc")


def find_module_imports(path: Path, known: Collection[str]) -> set[str]:
    """The modules of the package that a module imports when it is imported itself."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in names}
    return found & set(known)


def test_no_module_imports_itself_by_way_of_others() -> None:
    """An import cycle fails only in a program that enters it at the wrong module."""
    names = {path: ".".join(("tagtrail", *path.relative_to(ROOT).with_suffix("").parts)) for path in modules()}
    names = {path: name.removesuffix(".__init__") for path, name in names.items()}
    graph = {name: find_module_imports(path, names.values()) for path, name in names.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError
