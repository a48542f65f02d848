"""The door to disk: everything that neurosim writes or reads from outside passes here. Its names stand in the stub."""

from neurosim.namespaces import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
