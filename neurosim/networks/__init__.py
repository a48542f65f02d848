"""Trained networks: architectures, training, recording of activity, and exchange as NIR graphs."""

from neurosim.namespaces import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
