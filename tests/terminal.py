"""Run a command at a terminal and return what it prints there, for tests and docs whose own output is no terminal."""

import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from fcntl import ioctl
from pathlib import Path

COLUMNS = 132
_ROWS = 50
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def at_terminal(
    command: Sequence[str], *, environment: Mapping[str, str], directory: Path | None = None, columns: int = COLUMNS
) -> str:
    """The output of the command at a terminal of its own, standard error included, without colours."""
    ours, its = pty.openpty()
    ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
    here = {"TERM": "xterm", "COLUMNS": str(columns)}
    running = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=its, stderr=its, env={**environment, **here}, cwd=directory
    )
    os.close(its)
    printed = b"".join(_pieces(ours))
    os.close(ours)
    running.wait(60)
    return "".join(f"{line.rstrip()}\n" for line in _STYLE.sub("", printed.decode()).splitlines())


def _pieces(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(descriptor, 65_536)
        except OSError:
            return  # Linux reports a closed other end so
        if not piece:
            return
        yield piece
