"""tagtrail with another size of its groups of commits, as a program: `python -m bench.grouped SIZE CONFIG`.

With a size of 1 each request has a transaction, and an fsync, of its own: what group commit is measured against.
"""

import os
import sys
from pathlib import Path

from tagtrail.config.load import load
from tagtrail.server import front
from tagtrail.server.run import run


def main(size: str, config: str) -> None:
    """Serve until SIGTERM."""
    front._RECORDED_AT_ONCE = int(size)  # type: ignore[misc]
    run(load(Path(config), environ=os.environ))


if __name__ == "__main__":
    main(*sys.argv[1:])
