"""A repository's timeline: from moves to lanes of pieces, most of it pure; `picture.py` puts it together."""
