"""Biological neurons in Brian2: circuits as data, their simulation, the bridge from trained networks, the ladder."""

from neurosim.namespaces import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
