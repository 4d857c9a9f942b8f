"""A repository's timeline: pure functions from moves to what is drawn, and the one file that reads what they need."""
