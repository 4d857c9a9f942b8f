"""What is told: when a tag moves, one useful message in each channel whose route wants it."""
