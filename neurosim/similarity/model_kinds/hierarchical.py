"""How far two stimuli are from what they have in common, in a tree of categories."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.model_kind import ModelKind


def levels_to_common(labels: np.ndarray) -> np.ndarray:
    """Levels (K, K) from two stimuli up to their lowest common ancestor, the mean of both.

    Labels (K, L) are the levels of the tree, the coarsest first; or one label holds paths, "animal/mammal/dog".
    """
    paths = (
        [[part.strip() for part in row[0].split("/")] for row in labels] if labels.shape[1] == 1 else labels.tolist()
    )
    depth = np.array([len(path) for path in paths])
    common = np.zeros((len(paths), len(paths)))
    alike = np.ones(common.shape, dtype=bool)
    for level in range(depth.max()):
        here = np.array([path[level] if level < len(path) else "" for path in paths])
        both = np.minimum(depth[:, None], depth) > level
        alike &= (here[:, None] == here) & both
        common += alike
    return np.asarray((depth[:, None] + depth) / 2 - common)


HIERARCHICAL = ModelKind(
    name="hierarchical",
    kernel=levels_to_common,
    caption="levels up to the lowest common ancestor in a tree of categories",
    reference="https://doi.org/10.1109/21.24528",
)
