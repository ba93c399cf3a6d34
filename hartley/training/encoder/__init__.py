"""How the reference encoder is trained, measured and described."""
