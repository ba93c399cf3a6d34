"""Threats of the action flow."""
