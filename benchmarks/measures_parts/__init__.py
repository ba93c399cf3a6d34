"""The parts of benchmarks/measures.py: one module a subject, each with `TITLE` and `lines()`."""
