"""Representational similarity: RDMs, their comparison, inference, and alignment of responses."""

from neurosim.namespaces import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
