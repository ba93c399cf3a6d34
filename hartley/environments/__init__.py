"""Environments: worlds that threats on systems take place in, one object each: tasks with judges, and places for untrusted text."""
