"""The table: a row for each number to reach, the machine it was measured on, and both as text and as Markdown."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # the library that the store uses


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, against which goal; `reached` is None where there is no goal, or nothing was measured."""

    what: str
    goal: str
    measured: str
    reached: bool | None
    detail: str = ""
    more: tuple[str, ...] = ()  # lines below the table


def machine(directory: Path) -> str:
    """What the numbers depend on, in one line; `directory` is where the ledgers lay."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    hardware = f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB"
    system = f"Linux {platform.release()}, {_file_system(directory)}"
    software = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version} ({sqlite3.__name__})"
    return f"{hardware}, {system}, {software}"


def _file_system(directory: Path) -> str:
    """The type of the file system that the directory lies on: on a tmpfs an fsync costs nothing."""
    found, kind = "", "an unknown file system"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        mounted, name = line.split()[1:3]
        if directory.resolve().is_relative_to(mounted) and len(mounted) >= len(found):
            found, kind = mounted, name
    return kind


def as_text(rows: Sequence[Row]) -> str:
    """For a terminal."""
    lines = []
    for row in rows:
        lines.append(f"{_word(row):9} {row.what}: {row.measured} (goal {row.goal or 'none'})")
        lines += [f"          {text}" for text in (row.detail, *row.more) if text]
    return "\n".join(lines)


def as_markdown(rows: Sequence[Row], *, command: str, where: str) -> str:
    """For `docs/benchmarks.md`."""
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    head = [
        "# Benchmarks",
        "",
        f"Measured on {day} by `{command}`, which wrote this file. It is no test and gates nothing.",
        "",
        f"Machine: {where}; the load generator shares its cores. Servers that are compared took turns in the same run.",
        "",
        "| what | goal | measured | reached | how |",
        "|---|---|---|---|---|",
    ]
    body = [f"| {row.what} | {row.goal} | {row.measured} | {_word(row)} | {row.detail} |" for row in rows]
    more = [text for row in rows if row.more for text in ("", f"## {row.what}", "", *_list(row.more))]
    return "\n".join([*head, *body, *more]) + "\n"


def _list(lines: Sequence[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _word(row: Row) -> str:
    return "" if row.reached is None else "yes" if row.reached else "no"
