"""Measures tagtrail against the numbers it has to reach, side by side with a bare Flask application: `make bench`."""
