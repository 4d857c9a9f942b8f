"""What is asked of the store: one file for each topic, all of it reading only.

Every list is a walk along an index, newest first, from a key to the next page's key; never OFFSET, never a sort of
more rows than a page has. `series.py` says how the walks of several repositories or tags become one.
"""
