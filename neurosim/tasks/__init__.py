"""What a network learns: labelled batches, seeded by (task, seed, epoch)."""

from neurosim.namespaces import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
