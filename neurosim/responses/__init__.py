"""From raw answers to what is compared: averages over trials and time, reliability, read-out."""

from neurosim.namespaces import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
