"""The tree tells the story: who may import whom."""

import ast
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tagtrail

ROOT = Path(tagtrail.__file__).parent
# The rooms from the ground floor up: a room imports itself and those before its group, never one beside or after it.
GROUPS: tuple[tuple[str, ...], ...] = (
    ("trail", "errors", "__init__"),
    ("line", "locks", "logs"),
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
    "flask": {"api", "web", "health", "app"},
    "flask_wtf": {"web"},
    "werkzeug": {"api", "web", "health", "app"},
    "gunicorn": {"server"},
    "click": {"cli", "__main__"},
    "rich": {"cli"},
    "yaml": {"config", "api"},
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


# Public class names that still mean two things. A name that is cured leaves the list; none is added.
AMBIGUOUS_NAMES: set[str] = set()
# Files below SMALLEST lines that one other module imports, and that belong into it; the aim is none.
SMALLEST = 60
FRAGMENTS: set[str] = set()
# Each of these rooms is a family: its files are alike and one registry names them, so they may be small.
FAMILIES = ("api", "notify/channels", "notify/texts", "web/pages")


def find_class_names() -> dict[str, set[str]]:
    """The files that define each public class or type; an export's `verify.py` stands alone and mirrors some."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in modules():
        if path != ROOT / "export" / "verify.py":
            for name in filter(is_type_name, find_defined_names(path)):
                found[name].add(str(path.relative_to(ROOT)))
    return found


def is_type_name(name: str) -> bool:
    return len(name) > 1 and name[0].isupper() and not name.isupper()


def find_defined_names(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name


def test_a_class_name_means_one_thing() -> None:
    ambiguous = {name: sorted(files) for name, files in find_class_names().items() if len(files) > 1}
    unknown = {name: files for name, files in ambiguous.items() if name not in AMBIGUOUS_NAMES}
    assert unknown == {}
    assert AMBIGUOUS_NAMES - set(ambiguous) == set(), "these are cured and leave the list"


def test_a_small_file_has_several_importers() -> None:
    """A small file with one importer belongs into its importer, unless it is a member of a family."""
    importers: dict[Path, set[Path]] = defaultdict(set)
    paths = {module_name(path): path for path in modules()}
    for path in modules():
        for name in find_imported_modules(path, paths):
            importers[paths[name]].add(path)
    fragments = {str(path.relative_to(ROOT)) for path in modules() if is_fragment(path, importers[path])}
    assert fragments - FRAGMENTS == set()
    assert FRAGMENTS - fragments == set(), "these are cured and leave the list"


def is_fragment(path: Path, importers: set[Path]) -> bool:
    inside = path.relative_to(ROOT)
    if path.name in ("__init__.py", "__main__.py") or str(inside.parent) in FAMILIES:
        return False
    return len(path.read_text().splitlines()) < SMALLEST and len(importers) == 1


def module_name(path: Path) -> str:
    return ".".join(("tagtrail", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def find_imported_modules(path: Path, known: Collection[str]) -> set[str]:
    """The modules of the package that a module imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in names}
    return found & set(known)


def test_no_module_imports_itself_by_way_of_others() -> None:
    """An import cycle fails only in a program that enters it at the wrong module."""
    names = {path: module_name(path) for path in modules()}
    graph = {name: find_module_imports(path, names.values()) for path, name in names.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError
