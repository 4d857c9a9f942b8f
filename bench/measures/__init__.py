"""One file for each group of rows: `measure(bench)` gives them."""
