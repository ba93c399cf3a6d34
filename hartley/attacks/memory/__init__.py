"""Threats of the memory flow."""
