"""The user's own samples: files read in blocks, columns typed, and the statement made."""
