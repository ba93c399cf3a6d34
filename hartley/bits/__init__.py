"""Measures: Evidence or plain arrays in, Bits out."""
