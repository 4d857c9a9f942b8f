"""Plain English: some words make a sentence hard to read, and some names were replaced by the field's nouns."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "service" / "tagtrail"
SUFFIXES = {".py", ".md", ".html", ".js", ".css", ".txt", ".yml", ".conf", ".service"}
REJECTED = re.compile(
    r"\b(whoever|whomever|whom|nobody|amiss|that which|of it|(?:told|tells|tell|telling) of"
    r"|couriers?|arrears)\b",
    re.IGNORECASE,
)
# Released migrations keep their text, comments included.
EXEMPT = PACKAGE / "store" / "migrations.py"


def texts() -> Iterator[Path]:
    """Every file that people read, but the tests."""
    yield from ROOT.glob("*.md")
    yield ROOT / "config.example.yml"
    for folder in (ROOT / "docs", ROOT / "deploy", PACKAGE):
        yield from (path for path in folder.rglob("*") if path.suffix in SUFFIXES or path.name == "Dockerfile")


TEXTS = sorted(set(texts()) - {EXEMPT})


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_has_a_rejected_word(path: Path) -> None:
    lines = enumerate(path.read_text().splitlines(), start=1)
    assert [f"{number}: {line.strip()}" for number, line in lines if REJECTED.search(line)] == []
