"""My own network against my own recording. Run: python compare.py, then open results/mine/report.html."""

import torch

import neurosim as ns

# What was shown: a file here; any array (stimulus, y, x) or folder of pictures will do.
stimuli = ns.load_stimuli("my_stimuli.nc")

# My model: any torch module that takes the stimuli.
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 40), torch.nn.ReLU(), torch.nn.Linear(40, 10))

# My data: responses (stimulus, trial, unit). This example is synthetic; put yours in its place (.nc, .npz, .csv).
recording = ns.load_responses("my_recording.nc")

outcome = ns.compare_subjects(
    stimuli,
    subjects={"my_network": network, "cnn": "digits_cnn"},
    brains={"my_recording": recording},
    layers={"my_network": ["1", "3"]},
    seed=1,
    out="results/mine",
)
print(outcome.report)
