"""Runs: a plan, its cells, the folder they live in, and the workers that fill it."""
