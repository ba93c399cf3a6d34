"""Drawings for the documents, each from a computation of hartley.bits."""
