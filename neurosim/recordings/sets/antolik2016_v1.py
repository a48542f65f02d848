"""Mouse primary visual cortex of Antolik et al. 2016: two regions, two-photon imaging."""

from __future__ import annotations

import numpy as np

from neurosim import storage
from neurosim.recordings.published import Content, DataFile, DataSet, fetch
from neurosim.schema import InputError, as_responses, as_stimuli

SIDE = 31  # pixels
WHITE = 255e-6  # the value of white in the published pictures


def read(data_set: DataSet) -> Content:
    """Read the 50 validation pictures, which both regions saw, and every trial of the responses to them."""
    shown = {r: storage.read_npy(fetch(data_set, f"{r}_validation_inputs.npy")) for r in data_set.recordings}
    pixels = next(iter(shown.values()))
    if any(not np.array_equal(pixels, other) for other in shown.values()):
        raise InputError(f"{data_set.name}: the regions were shown different pictures; load one of them.")
    ids = [f"picture_{i + 1:02d}" for i in range(len(pixels))]
    stimuli = as_stimuli(pixels.reshape(-1, SIDE, SIDE), ids=ids, scale=WHITE)
    responses = {}
    for region in data_set.recordings:
        trials = storage.read_npy(fetch(data_set, f"{region}_raw_validation_set.npy"))  # (trial, image, unit)
        n = trials.shape[2]
        labels = {"session": [region] * n, "area": ["V1"] * n}
        responses[region] = as_responses(
            trials.transpose(1, 0, 2),
            dims=("stimulus", "trial", "unit"),
            stimuli=ids,
            coords={"unit": [f"{region}_{i + 1:03d}" for i in range(n)]} | {k: ("unit", v) for k, v in labels.items()},
            quantity="activation",
        )
    return Content(stimuli=stimuli, responses=responses)


ANTOLIK2016_V1 = DataSet(
    name="antolik2016_v1",
    caption="50 natural pictures: calcium responses of mouse V1, single trials of two regions",
    read=read,
    recordings=("region1", "region2"),
    folder="antolik2016_v1",
    home="the supplement of Antolik et al. 2016, via https://github.com/kovacspe/diplomka (commit 8d9edca)",
    files=(
        DataFile(
            name="region1_validation_inputs.npy",
            sha256="a5269c567a431ed969301b75ffd39ba0c92432f583982e5742860cae92d392c9",
        ),
        DataFile(
            name="region1_raw_validation_set.npy",
            sha256="3ff518cee9d7dcde19525d11a294af09158a6b114f970dd01d43be278e7801dc",
        ),
        DataFile(
            name="region2_validation_inputs.npy",
            sha256="a5269c567a431ed969301b75ffd39ba0c92432f583982e5742860cae92d392c9",
        ),
        DataFile(
            name="region2_raw_validation_set.npy",
            sha256="979ed05629561423b397d6c828a871229935262cf38e17f35a08da7f734733e8",
        ),
    ),
    citation="Antolik J, Hofer SB, Bednar JA, Mrsic-Flogel TD (2016) PLoS Computational Biology 12:e1004927, "
    "https://doi.org/10.1371/journal.pcbi.1004927",
    licence="CC BY 4.0",
)
