"""Defenses of a model: on its input, its training set, or its output."""
