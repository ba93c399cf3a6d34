"""Nearest neighbors in the maximum distance, exact, and the estimate that rests on them."""
