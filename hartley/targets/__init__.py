"""Targets: the systems under test. Import the module of the target you need; this package imports nothing heavy."""
