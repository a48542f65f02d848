"""Courses whose numbers a test knows."""

from __future__ import annotations

import itertools

import numpy as np

from neurosim.biophysics.courses import Course


def given(values: np.ndarray) -> Course:
    """Return the course of given numbers (step, copy, neuron)."""

    def begin(copy):
        rows = iter(values[:, copy])
        return lambda n: np.array(list(itertools.islice(rows, n)))

    return Course(len(values), values.shape[2], [lambda copy=copy: begin(copy) for copy in range(values.shape[1])])
