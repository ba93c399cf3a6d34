"""Mislearning: the training set is manipulated."""
