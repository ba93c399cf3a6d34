"""Threats of the interaction flow."""
