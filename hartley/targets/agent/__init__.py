"""Agents: a policy with tools in a world of labeled content, guarded or not, and judges of what it did."""
