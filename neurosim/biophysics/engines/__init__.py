"""The engines, one file each."""

from neurosim.biophysics.execution import Engine
from neurosim.registry import Registry

ENGINES = Registry("engine", __name__, Engine)
