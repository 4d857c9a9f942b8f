"""What the lines mean: heads, moves, intervals, tag rules, environments, deployments. Pure functions only."""
