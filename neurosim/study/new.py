"""A working template of a study, to start from."""

from __future__ import annotations

import shutil
from pathlib import Path

from neurosim import storage
from neurosim.recordings.synthetic import BrainOptions, synthetic_brain
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.source import load_source


def new_study(folder: str | Path) -> list[Path]:
    """Write a working template: your model against your data, as a script and as a study file.

    Parameters
    ----------
    folder : a new or empty folder.

    Returns
    -------
    the files that were written.

    Raises
    ------
    InputError : the folder is there and not empty.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     [path.name for path in ns.study.new_study(place)][:2]
    ['compare.py', 'study.toml']
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"new: {folder} is not empty; name a new folder.")
    template = Path(__file__).with_name("template")
    storage.check_writable(folder)
    made = []
    for source in sorted(p for p in template.iterdir() if p.is_file()):
        shutil.copyfile(source, folder / source.name)
        made.append(folder / source.name)
    stimuli = load_source("digits", rng=0)
    pixels = as_stimuli(stimuli.values.reshape(len(stimuli), -1), ids=stimuli["stimulus"].values.tolist())
    storage.write_dataset(folder / "my_stimuli.nc", stimuli.rename("stimuli"))
    recording = synthetic_brain(pixels, BrainOptions(n_subjects=6))
    storage.write_dataset(folder / "my_recording.nc", recording.rename("responses"))
    return [*made, folder / "my_stimuli.nc", folder / "my_recording.nc"]
