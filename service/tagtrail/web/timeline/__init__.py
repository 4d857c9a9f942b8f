"""A repository's timeline: from moves to lanes of pieces to SVG. Start at `picture.py`."""
