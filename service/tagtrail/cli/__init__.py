"""Outermost: the command line, which constructs what the other rooms are handed."""

from tagtrail.cli.program import main

__all__ = ["main"]
