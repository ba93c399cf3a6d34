"""The safeguards of agents, societies and memories."""
