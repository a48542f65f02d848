"""Macaque area V4 of Cowley et al. 2026: four sessions of three animals."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.published import Content, DataFile, DataSet, fetch
from neurosim.schema import InputError, as_responses, as_stimuli

ANIMALS = {"190923": "WE", "210225": "PE", "210325": "PE", "210621": "RA"}  # by session
REPEATED = ("210325",)  # sessions of which single trials are published, 6 to 10 an image


def read(data_set: DataSet) -> Content:
    """Read spike counts (100 ms) and the pictures of each session, which saw its own; trials that were not run are NaN.

    The other sessions are published as means over repeats: 14 in 190923, 6 in 210225, 16 in 210621. Means hold no
    ceiling: those of these sessions can be quoted, not computed. Brain-Score's test ``Cowley2026.V4-pls`` (sessions
    190923, 201025, 210225, 211022; ceilings 0.80, 0.85, 0.67, 0.88) gives AlexNet 0.33. Two of its sessions are here,
    so that correlations by partial least squares can be compared with its own before they are divided by a ceiling;
    its score cannot: the other two are not here, and AlexNet's weights come in no package.
    """
    pictures = {s: storage.read_picture_archive(fetch(data_set, f"images_{s}.zip")) for s in data_set.recordings}
    ids = {s: [f"{s}_{name.rpartition('.')[0]}" for name in shown] for s, shown in pictures.items()}
    stimuli = as_stimuli(
        np.stack([pixels for shown in pictures.values() for pixels in shown.values()]).transpose(0, 3, 1, 2),
        dims=("stimulus", "channel", "y", "x"),
        ids=[name for names in ids.values() for name in names],
        coords={"session": [s for s, names in ids.items() for _ in names]},
    )
    return Content(stimuli=stimuli, responses={s: _session(data_set, s, names) for s, names in ids.items()})


def _session(data_set: DataSet, session: str, ids: list[str]) -> xr.DataArray:
    """Return the responses (stimulus, [trial,] unit) of a session."""
    file = f"responses_raw_{session}.npy" if session in REPEATED else f"responses_{session}.npy"
    counts = storage.read_npy(fetch(data_set, file))  # (unit, image[, repeat])
    if counts.shape[1] != len(ids):
        raise InputError(f"{data_set.name}: {file} has {counts.shape[1]} images, the archive {len(ids)}.")
    units = [f"{session}_{i + 1:02d}" for i in range(len(counts))]
    labels = {
        "session": [session] * len(units),
        "subject": [ANIMALS[session]] * len(units),
        "area": ["V4"] * len(units),
    }
    return as_responses(
        np.moveaxis(counts, 0, -1),
        dims=("stimulus", "trial", "unit") if counts.ndim == 3 else ("stimulus", "unit"),
        stimuli=ids,
        coords={"unit": units, **{k: ("unit", v) for k, v in labels.items()}},
        quantity="spike_count",
    )


COWLEY2026_V4 = DataSet(
    name="cowley2026_v4",
    caption="natural pictures: spike counts of macaque V4, four sessions of three animals, single trials of one",
    read=read,
    recordings=tuple(ANIMALS),
    folder="cowley2026_v4",
    home="https://github.com/cowleygroup/V4_compact_models (folder data_V4_responses, commit f4552ad)",
    files=(
        DataFile(
            name="images_190923.zip",
            sha256="e99a4df1c7476bdc4d565ff4408bc421976ecc3a22c41af6bfd0cfbddb508c0c",
            url="https://raw.githubusercontent.com/cowleygroup/V4_compact_models/f6cbd03109489bef1bbbb5aaeef4f74d22d0dd7b/data_V4_responses/images/images_190923.zip",
        ),
        DataFile(
            name="responses_190923.npy",
            sha256="741672d36541ce39930c8a3b5bd1cfd33c187aa47b1549c9c5569bc21aa97a28",
            url="https://raw.githubusercontent.com/cowleygroup/V4_compact_models/d1b3526933e6bad537140a53b54abe797588f23b/data_V4_responses/responses_repeat_averaged/responses_190923.npy",
        ),
        DataFile(
            name="images_210225.zip",
            sha256="79bfb1066949a7f7bbd3c632ab420c2230b966b80cade76593d8745aea49b7f6",
            url="https://raw.githubusercontent.com/cowleygroup/V4_compact_models/af82f72c64315676b33fd5d416e06efdbd4028de/data_V4_responses/images/images_210225.zip",
        ),
        DataFile(
            name="responses_210225.npy",
            sha256="853f196247504fa2526b507f56ee5237711ed166f295f7cb23ec5441a7bf789b",
            url="https://raw.githubusercontent.com/cowleygroup/V4_compact_models/d1b3526933e6bad537140a53b54abe797588f23b/data_V4_responses/responses_repeat_averaged/responses_210225.npy",
        ),
        DataFile(
            name="images_210325.zip",
            sha256="992774eca3508a2ad01accb1a31f5f3e3d90248c49f4eec314f2a915a263e454",
            url="https://raw.githubusercontent.com/cowleygroup/V4_compact_models/c6b96b0d640f9abfc06912b0388e9ea5f23b5b77/data_V4_responses/images/images_210325.zip",
        ),
        DataFile(
            name="responses_raw_210325.npy",
            sha256="4008dbbf31a47d9b1b8d8da609f4a7a3433c7071f0e45c611c220b217dd75b76",
            url="https://raw.githubusercontent.com/cowleygroup/V4_compact_models/d1b3526933e6bad537140a53b54abe797588f23b/data_V4_responses/responses_raw/responses_210325.npy",
        ),
        DataFile(
            name="images_210621.zip",
            sha256="aff4d1639a04fb0d964ee09f8e76b07707e8435283c8e0ea47b0fd398ffcc233",
            url="https://raw.githubusercontent.com/cowleygroup/V4_compact_models/be80252db06ba35040765b4d4d171e4717edac3d/data_V4_responses/images/images_210621.zip",
        ),
        DataFile(
            name="responses_210621.npy",
            sha256="28e57e8eefe774b455087a62f039931b9547b2300908a0af85eee5baa49aa1ba",
            url="https://raw.githubusercontent.com/cowleygroup/V4_compact_models/d1b3526933e6bad537140a53b54abe797588f23b/data_V4_responses/responses_repeat_averaged/responses_210621.npy",
        ),
    ),
    citation="Cowley BR, Stan PL, Pillow JW, Smith MA (2026) Compact deep neural network models of visual cortex, "
    "https://doi.org/10.1101/2023.11.22.568315",
    licence="distributed with V4_compact_models (GPL-3)",
)
