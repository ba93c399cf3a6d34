"""How the reference listener is trained, measured and described."""
