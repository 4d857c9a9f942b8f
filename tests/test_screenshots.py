"""The pictures that `make screenshots` takes: all present, of one size, and small enough for a README."""

import re
import struct
from pathlib import Path

import pytest
from deploy.screenshots import LARGEST, PICTURES, SIZE

ROOT = Path(__file__).parent.parent
SCREENSHOTS = ROOT / "docs" / "screenshots"


def test_every_picture_exists_and_no_other() -> None:
    assert {path.name for path in SCREENSHOTS.iterdir()} == {f"{name}.png" for name in PICTURES}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_the_expected_size(name: str) -> None:
    octets = (SCREENSHOTS / f"{name}.png").read_bytes()
    assert octets.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", octets[16:24]) == (SIZE["width"], SIZE["height"])
    assert len(octets) <= LARGEST


def test_every_picture_in_the_docs_exists() -> None:
    for doc in (ROOT / "README.md", *ROOT.glob("docs/*.md")):
        for shown in re.findall(r"!\[[^\]]*\]\(([^)]+\.png)\)", doc.read_text()):
            assert (doc.parent / shown).is_file(), (doc.name, shown)
