"""Static files under addresses that change with their content, so that a browser may keep each for ever."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, send_from_directory, url_for
from werkzeug.exceptions import NotFound

FOLDER: Final = Path(__file__).parent / "static"
_FOR_EVER: Final = "public, max-age=31536000, immutable"


def add_assets(blueprint: Blueprint) -> None:
    """Serve the files to everybody: they tell nothing."""

    @blueprint.get("/static/<mark>/<name>")
    def static(mark: str, name: str) -> Response:
        if name not in _names() or mark != _mark(name):
            raise NotFound
        response = send_from_directory(FOLDER, name)
        response.headers["Cache-Control"] = _FOR_EVER
        return response


def asset(name: str) -> str:
    """The address of a static file."""
    return url_for("web.static", mark=_mark(name), name=name)


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in FOLDER.iterdir())


@cache
def _mark(name: str) -> str:
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]
