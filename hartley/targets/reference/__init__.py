"""The reference encoder: its data, its training, its weights."""
