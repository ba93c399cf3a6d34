"""The taxonomy as data."""
