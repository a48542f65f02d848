"""Brian2 is kept out of files of the current folder, bins only regroup, and the hand-built circuit answers."""

import numpy as np

from neurosim.biophysics import LIFParameters
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.circuits.gabor_adex import GaborAdExOptions
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.named_circuits import build_circuit
from neurosim.biophysics.populations import Population
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.schema import as_stimuli


def test_time_bins_only_regroup_spikes():
    circuit = Circuit("c", Input(1), (Population("a", 1, LIFParameters(), 4e-10),), (), dt=1e-4, step=1e-3)
    shown = as_stimuli(np.zeros((1, 100, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    fine, coarse = (simulate(circuit, shown, monitors=Monitors(time_bin=b), progress=False) for b in (1e-3, 10e-3))
    assert fine.sum() > 5
    np.testing.assert_array_equal(fine.values.reshape(1, 10, 10, 1).sum(2), coarse.values)


def test_brian2_never_runs_a_preferences_file_of_the_current_folder(tmp_path):
    import subprocess
    import sys

    (tmp_path / "brian_preferences").write_text("codegen.target = 'cython'\nlogging.file_log = 'not a bool'\n")
    code = (
        "from neurosim.biophysics.brian2_engine import import_brian2; b = import_brian2(); "
        "import os; print(b.prefs.codegen.target, os.getcwd())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["auto", str(tmp_path)]


def test_the_hand_built_circuit_answers_and_repeats():
    energies = as_stimuli(np.random.default_rng(0).random((2, 16)))
    first, again = (
        simulate(
            build_circuit("gabor_adex", 16, GaborAdExOptions(duration=0.06), rng=2),
            energies,
            trials=2,
            rng=1,
            progress=False,
        )
        for _ in range(2)
    )
    assert first.dims == ("stimulus", "trial", "time", "unit")
    np.testing.assert_array_equal(first.values, again.values)
    for name in ("excitatory", "inhibitory"):
        assert first.values[..., first.layer.values == name].sum() > 10
