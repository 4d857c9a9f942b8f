"""Static files under addresses that change with their content, so that a browser may keep each for ever."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, url_for
from werkzeug.exceptions import NotFound

FOLDER: Final = Path(__file__).parent / "static"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def add_assets(blueprint: Blueprint) -> None:
    """Serve the files to everybody: they tell nothing."""

    @blueprint.get("/static/<mark>/<name>")
    def static(mark: str, name: str) -> Response:
        content = _files().get(name)
        if content is None or mark != _mark(content):
            raise NotFound
        response = Response(content, content_type=_TYPES[Path(name).suffix])
        response.headers["Cache-Control"] = _FOR_EVER
        return response


def asset(name: str) -> str:
    """The address of a static file."""
    return url_for("web.static", mark=_mark(_files()[name]), name=name)


@cache
def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in _TYPES}


@cache
def _mark(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
