"""A repository's timeline: from moves to lanes of pieces, mostly by pure functions; `picture.py` puts them together."""
