"""Defenses: each wraps a target and is itself that kind of target."""
