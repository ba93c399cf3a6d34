"""Hartley: what attacks take from multimodal foundation models, in bits."""

__version__ = "0.1.0"
