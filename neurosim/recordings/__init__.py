"""Measured brains: published sets by name, files of responses, and a synthetic brain with known truth."""

from neurosim.namespaces import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
