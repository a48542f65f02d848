"""How the machine computes a training: workers that read, kernels, layout, compilation; nothing of what is learned."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.schema import InputError


@dataclass(frozen=True)
class Runtime:
    """How the machine computes a training.

    Parameters
    ----------
    workers : processes that read, decode and augment stimuli which are read one by one; 0 does it in this process.
        Loaders of one's own keep their own. The bytes of a batch do not depend on it.
    prefetch : batches that each worker makes ahead.

    Raises
    ------
    InputError : a value that is out of its range.

    Examples
    --------
    >>> Runtime(workers=4).prefetch
    2
    """

    workers: int = 0
    prefetch: int = 2

    def __post_init__(self) -> None:
        for name, least in (("workers", 0), ("prefetch", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"Runtime: {name} = {value!r}; a whole number of at least {least} is asked.")
