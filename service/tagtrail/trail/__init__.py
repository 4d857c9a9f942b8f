"""The meaning of lines: heads, moves, intervals, tag rules, environments, deployments. Pure functions only."""
