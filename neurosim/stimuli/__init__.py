"""What is shown: images, Gabor features of them, and encoders that turn them into spikes."""

from neurosim.namespaces import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
