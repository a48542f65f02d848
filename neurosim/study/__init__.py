"""Declare a study in one file, run each step once, keep everything, report."""

from neurosim.namespaces import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
