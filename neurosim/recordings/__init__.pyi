"""Recordings: measured brains, read from the formats that laboratories write."""

# Responses from files, by the reader of their format
from .files import load_responses as load_responses  # responses of any subject, from any format that is known
from .nwb import load_nwb_responses as load_nwb_responses  # units of an NWB file around its trials
from .fmri import load_betas as load_betas  # voxels of a NIfTI image, with a table of what was shown
from .fmri import save_nifti as save_nifti  # a map, such as scores of searchlights, in the space of a mask
from .bids import load_bids as load_bids  # a run of BIDS derivatives, by the entities of its files
from .meg import load_epochs as load_epochs  # epochs or evoked responses of MNE
from .meg import to_mne as to_mne  # a course of sensors or scores as an evoked response of MNE
from .meg import sensor_neighbours as sensor_neighbours  # which sensors are beside each other
from .nwb import save_nwb as save_nwb  # responses as an NWB file that other tools read
from .assemblies import save_assembly as save_assembly  # responses as an assembly of BrainIO, for Brain-Score

# RDMs as files
from .rdm_files import save_rdms as save_rdms  # with all their labels, as netCDF
from .rdm_files import load_rdms as load_rdms  # those, and what rsatoolbox wrote

# Spikes and series of a session, and its events
from .spikes import load_spikes as load_spikes  # a table of spikes from a file
from .spikes import align_spikes as align_spikes  # spikes cut into responses around events
from .spikes import bin_spikes as bin_spikes  # spikes from the onset of each stimulus, counted in bins
from .nwb import load_nwb_series as load_nwb_series  # a sampled series of an NWB file, read as it is used
from .events import align_series as align_series  # a sampled series cut into responses around events
from .trial_labels import label_trials as label_trials  # running, pupil, eyes: a series as labels of the trials
from .pynapple_objects import to_pynapple as to_pynapple  # spikes, series, intervals as objects of pynapple

# Recordings from inside neurons
from .sweeps import load_sweeps as load_sweeps  # currents and voltages of current clamp, by protocol

# Whatever Neo opens
from .neo import load_neo as load_neo  # a recording of any format of Neo, as one block
from .neo import neo_spikes as neo_spikes  # its spike times by unit
from .neo import neo_events as neo_events  # its events as a table
from .neo import neo_series as neo_series  # one of its analog signals as a series

# Published sets by name
from .datasets import list_datasets as list_datasets  # their names
from .datasets import load_dataset as load_dataset  # one of them: stimuli, responses, RDMs, how to cite
from .described import register_datasets as register_datasets  # more of them, described in a TOML file

# A brain with known truth
from .synthetic import BrainOptions as BrainOptions  # who is recorded, how often, how noisily
from .synthetic import synthetic_brain as synthetic_brain  # its recording in several subjects
