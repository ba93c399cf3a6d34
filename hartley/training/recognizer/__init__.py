"""How the reference recognizer is trained, measured and described."""
