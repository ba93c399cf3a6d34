"""How the reference generator is trained, measured and described."""
