"""Inferring: what the model gives away about its training set."""
