"""neurosim: trained networks, Brian2 circuits and recorded brains compared as representations, reproducibly.

The rooms (``neurosim.similarity``, ``neurosim.networks``, ...) and their names are attached lazily: importing the
package loads neither torch, nor brian2, nor matplotlib. What there is can be read in the ``__init__.pyi`` of each room.
"""

from neurosim.namespaces import attach
from neurosim.version import __version__ as __version__

__getattr__, __dir__, __all__ = attach(__name__, __file__)
