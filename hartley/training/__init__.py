"""How the reference family was made: `python -m hartley.training MODEL`. Nothing that scans, measures or reports imports from here."""
