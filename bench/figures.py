"""The few statistics of the table: percentiles, and ratios of what was measured in turns."""

import math
from collections.abc import Sequence
from statistics import median


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all values do not exceed (nearest rank). Raises ValueError for no values."""
    if not values:
        raise ValueError("nothing was measured")
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(0, rank - 1)]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours by the median of theirs; one value for each round, so that one bad round decides nothing."""
    return median(ours) / median(theirs)


def per_round(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The ratio of each round, for the reader to see how much they differ."""
    return ", ".join(f"{our / their:.2f}" for our, their in zip(ours, theirs, strict=True))
