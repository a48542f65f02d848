"""Recordings: measured brains, read from the formats that laboratories write."""

# files
from .files import load_responses as load_responses  # read responses of any subject from a file

# spikes
from .spikes import align_spikes as align_spikes  # cut the spikes of a session into responses around its events
from .spikes import bin_spikes as bin_spikes  # count the spikes of a table in time bins from the onset of each
from .spikes import load_spikes as load_spikes  # read a table of spikes from a file

# events
from .events import align_series as align_series  # cut a sampled series (LFP, calcium, behaviour) into responses

# sweeps
from .sweeps import load_sweeps as load_sweeps  # read current-clamp recordings from a file, by the name of the

# nwb
from .nwb import load_nwb_responses as load_nwb_responses  # read the units of an NWB file as responses to the events
from .nwb import load_nwb_series as load_nwb_series  # open a sampled series of an NWB file (LFP, calcium, behaviour)
from .nwb import save_nwb as save_nwb  # write responses as an NWB file that other tools read;

# neo
from .neo import load_neo as load_neo  # read a recording of any format that Neo knows, as one Neo block; signals
from .neo import neo_events as neo_events  # return the events (or epochs) of a segment as a table: ``start_time``
from .neo import neo_series as neo_series  # return an analog signal of a segment as a series (time, unit) in SI
from .neo import neo_spikes as neo_spikes  # return the spike times of a segment, s, by unit; what

# fmri
from .fmri import load_betas as load_betas  # read response estimates of voxels from a NIfTI image and say from a

# meg
from .meg import load_epochs as load_epochs  # return MNE epochs or evoked responses as responses, one kind of sensor

# datasets
from .datasets import list_datasets as list_datasets  # return the names that :func:`load_dataset` knows
from .datasets import load_dataset as load_dataset  # load a published set by name

# registry
from .registry import register_datasets as register_datasets  # add the sets that a TOML file describes to those that

# synthetic
from .synthetic import synthetic_brain as synthetic_brain  # simulate the recording of areas in several subjects
