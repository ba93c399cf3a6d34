"""Misleading: the input is manipulated so that the model answers wrongly."""
