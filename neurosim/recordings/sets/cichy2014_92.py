"""The 92 pictures of Cichy et al. 2014, with the fMRI RDMs of 15 subjects."""

from __future__ import annotations

import numpy as np

from neurosim import storage
from neurosim.recordings.published import Content, DataFile, DataSet, fetch, image_files, object_ids
from neurosim.schema import as_rdm, as_stimuli


def read(data_set: DataSet) -> Content:
    """Read the 92 pictures and the fMRI RDMs of 15 subjects."""
    arrays = {area: storage.read_npz(fetch(data_set, f"fmri_{area}_RDMs.npz"))["Net_RDM"] for area in ("EVC", "IT")}
    pixels = np.stack([storage.read_image(p) for p in image_files(data_set)]).astype(np.float32) / 255
    stimuli = as_stimuli(
        np.moveaxis(pixels, -1, 1), dims=("stimulus", "channel", "y", "x"), ids=object_ids(len(pixels))
    )
    names = [f"subject_{s + 1}" for s in range(len(arrays["IT"]))]
    rdms = {
        area: as_rdm(values, stimuli=stimuli, dims=("subject",), coords={"subject": names}, metric="correlation")
        for area, values in arrays.items()
    }
    return Content(stimuli=stimuli, rdms=rdms)


CICHY2014_92 = DataSet(
    name="cichy2014_92",
    caption="92 objects: fMRI of early visual and inferior temporal cortex of 15 people",
    read=read,
    recordings=("EVC", "IT"),
    folder="cichy2014_92images",
    home="https://github.com/cvai-roig-lab/Net2Brain (data set of the 92 images)",
    files=(
        DataFile(
            name="fmri_EVC_RDMs.npz",
            sha256="c73de20f9cb2229f1796085e79c153f63a4287b8bf7faaf7531571b1898d3f8b",
        ),
        DataFile(
            name="fmri_IT_RDMs.npz",
            sha256="ecf104457ae841d2a2bf503fb0dc16c6387e32d0cd74fb5217ca4ef859a805dd",
        ),
    ),
    citation="Cichy RM, Pantazis D, Oliva A (2014) Nature Neuroscience 17:455-462, "
    "https://doi.org/10.1038/nn.3635; Cichy RM, Pantazis D, Oliva A (2016) Cerebral Cortex 26:3563-3579, "
    "https://doi.org/10.1093/cercor/bhw135",
    licence="distributed with Net2Brain (BSD-3)",
    n_images=92,
    images_sha256="df767d76ccb7269c49362f59e8b65ca259276aebf7ee8c4b4dfa2c4b77c28d17",
)
