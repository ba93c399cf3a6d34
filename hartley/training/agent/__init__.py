"""How the reference agent is trained, measured and described."""
