"""How the reference answerer is trained, measured and described."""
