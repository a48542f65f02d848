"""Dorsal raphe neurons of Harkin et al. 2023."""

from __future__ import annotations

from typing import Any

from neurosim import storage
from neurosim.recordings.published import Content, DataFile, DataSet, fetch
from neurosim.recordings.sweeps import load_sweeps


def read(data_set: DataSet) -> Content:
    """Read current clamp of dorsal raphe neurons, with what the experimenter measured of each in attrs.

    Cells whose files lie in the data folder beside the published ones are read too.
    """
    table = storage.read_table(fetch(data_set, "Index.csv"), ids=("Cell #",))
    known = {str(row["Cell #"]): row for _, row in table.iterrows()}
    files = {f.name: fetch(data_set, f.name) for f in data_set.files if f.name.endswith(".npz")}
    beside = next(iter(files.values())).parent.glob("DRN*.npz")
    files |= {p.name: p for p in sorted(beside) if p.name not in files}
    found = {}
    for file_name, path in sorted(files.items()):
        cell = file_name.split("_")[0]
        attrs: dict[str, Any] = {"subject": cell}
        if cell in known:
            row = known[cell]
            attrs |= {"capacitance": row["Cm (pF)"] * 1e-12, "input_resistance": row["Rm (MOhm)"] * 1e6}
            attrs |= {"access_resistance": row["Ra (MOhm)"] * 1e6, "cell_type": str(row["Type"])}
        for protocol, sweeps in load_sweeps(path).items():
            found[f"{cell}_{protocol}"] = sweeps.assign_attrs(attrs)
    return Content(sweeps=found)


DRN_PATCH_CLAMP = DataSet(
    name="drn_patch_clamp",
    caption="current clamp of dorsal raphe neurons of mice",
    read=read,
    recordings=("DRN158", "DRN159", "DRN160", "DRN164"),
    folder="drn_patch_clamp",
    home="https://github.com/nauralcodinglab/raphegif",
    files=(
        DataFile(
            name="Index.csv",
            sha256="d6c1ee4bbb4659047a0b2a2717b79880b0faa8f1f9949075a3ee443f2bcd906f",
        ),
        DataFile(
            name="DRN158_GABA.npz",
            sha256="6db8db0d2c6481555c5e962c6386b8e7cab42d1d2637ea38b3bcafb112bad619",
        ),
        DataFile(
            name="DRN159_5HT.npz",
            sha256="8589683e2ea547766ec73efb96976161a0cf713ace8c80ba799c1fab2739d7d6",
        ),
        DataFile(
            name="DRN160_5HT.npz",
            sha256="0bb5813f691ac98351352e13cb6b6c5096b957c6d8112625af05f9fdaef45719",
        ),
        DataFile(
            name="DRN164_5HT.npz",
            sha256="f3d07c1560feda13dde14c6d5e416791332ad48346211e5d55b02791a2070133",
        ),
    ),
    citation="Harkin EF, Lynn MB, Payeur A, et al. (2023) eLife 12:e72951, https://doi.org/10.7554/eLife.72951; "
    "method: Pozzorini C, Mensi S, Hagens O, et al. (2015) PLoS Computational Biology 11:e1004275, "
    "https://doi.org/10.1371/journal.pcbi.1004275",
    licence="MIT",
)
