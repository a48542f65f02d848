"""Arrays in, matplotlib Axes out: stimuli, rasters, RDMs, model comparison, maps, MDS."""

from neurosim.namespaces import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
