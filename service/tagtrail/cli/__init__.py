"""The command line: it builds what the other rooms are given."""

from tagtrail.cli.program import main

__all__ = ["main"]
