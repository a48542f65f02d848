"""Neurons in Brian2 against closed forms and published behaviour."""

from dataclasses import replace

import numpy as np
import pytest

from neurosim.biophysics.circuit import Circuit, Population, Projection
from neurosim.biophysics.gabor_adex import gabor_adex_circuit
from neurosim.biophysics.simulation import simulate
from neurosim.parameters import AdExParameters, ConductanceLIFParameters, DiscreteLIFParameters
from neurosim.schema import InputError, as_stimuli


def silent(n_steps, step=1e-3, n_inputs=1):
    return as_stimuli(np.zeros((1, n_steps, n_inputs)), dims=("stimulus", "time", "unit"), time_step=step)


def driven(parameters, drive, *, dt=1e-4, step=1e-3):
    """One neuron a value of `drive`, not connected."""
    population = Population("neurons", len(drive), parameters, np.asarray(drive))
    return Circuit("driven", 1, (population,), (), dt=dt, step=step)


def test_conductance_lif_without_synapses_fires_at_the_closed_form_rate():
    """rate = 1 / (refractory + tau ln(I / (I - 1))) with I the drive in units of the threshold."""
    parameters = ConductanceLIFParameters(tau_mem=10e-3, refractory=2e-3)
    gap = parameters.v_threshold - parameters.e_leak
    relative = np.array([0.9, 1.2, 1.5, 2.0, 4.0])
    responses = simulate(driven(parameters, relative * gap, dt=1e-5), silent(2000), progress=False)
    rate = responses.values.sum(1)[0] / 2.0
    wanted = 1 / (2e-3 + 10e-3 * np.log(relative[1:] / (relative[1:] - 1)))
    assert rate[0] == 0
    np.testing.assert_allclose(rate[1:], wanted, rtol=0.01)


def test_discrete_lif_follows_its_equation():
    parameters = DiscreteLIFParameters(tau_mem=5e-3)
    responses = simulate(driven(parameters, [0.3, 0.7], dt=1e-3), silent(50), progress=False)
    for neuron, drive in enumerate((0.3, 0.7)):
        v, fired, spikes = 0.0, 0.0, []
        for _ in range(50):
            v = parameters.beta * v + drive - fired * parameters.threshold
            fired = float(v > parameters.threshold)
            spikes.append(fired)
        assert responses.values[0, :, neuron].tolist() == spikes


def test_adex_fires_regularly_without_adaptation_and_adapts_with_it():
    """Brette & Gerstner 2005: with a and b the intervals between spikes grow, without them they do not."""
    current = np.array([1.0e-9])
    intervals = {}
    for name, parameters in (("adapting", AdExParameters()), ("tonic", replace(AdExParameters(), a=0.0, b=0.0))):
        spikes = simulate(driven(parameters, current, dt=5e-5), silent(400), progress=False).values[0, :, 0]
        intervals[name] = np.diff(np.flatnonzero(spikes))
    assert intervals["adapting"][-1] > 1.5 * intervals["adapting"][0]
    assert np.ptp(intervals["tonic"][1:]) <= 1


def test_excitation_drives_and_inhibition_silences():
    parameters = ConductanceLIFParameters()
    population = Population("target", 1, parameters, np.array([15e-3]))
    excite, inhibit = np.array([[0.5], [0.0]]), np.array([[0.5], [-2.0]])
    spikes = as_stimuli(np.ones((1, 200, 2)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    counts = [
        float(
            simulate(
                Circuit("c", 2, (population,), (Projection("input", "target", w),), dt=1e-4, step=1e-3),
                spikes,
                progress=False,
            ).sum()
        )
        for w in (excite, inhibit)
    ]
    assert counts[0] > 10
    assert counts[1] == 0


def test_time_bins_only_regroup_spikes():
    circuit = driven(ConductanceLIFParameters(), [40e-3])
    fine = simulate(circuit, silent(100), progress=False)
    coarse = simulate(circuit, silent(100), time_bin=10e-3, progress=False)
    np.testing.assert_array_equal(fine.values.reshape(1, 10, 10, 1).sum(2), coarse.values)


def test_brian2_never_runs_a_preferences_file_of_the_current_folder(tmp_path):
    import subprocess
    import sys

    (tmp_path / "brian_preferences").write_text("codegen.target = 'cython'\nlogging.file_log = 'not a bool'\n")
    code = (
        "from neurosim.biophysics.brian2_engine import import_brian2, preferences; b = import_brian2(); "
        "import os; print(b.prefs.codegen.target, os.getcwd())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["numpy", str(tmp_path)]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Population("p", 2, DiscreteLIFParameters(), np.zeros(3)), "drive of shape"),
        (lambda: Population("p", 1, DiscreteLIFParameters(), np.array([np.nan])), "finite drive"),
        (lambda: circuit_with(Projection("inputs", "a", np.ones((2, 1)))), "Did you mean 'input'"),
        (lambda: circuit_with(Projection("input", "a", np.full((2, 1), np.nan))), "2 not finite"),
        (lambda: circuit_with(Projection("input", "a", np.ones((1, 1)))), r"shape \(2, 1\)"),
        (lambda: circuit_with(Projection("a", "a", np.ones((1, 1)))), "feed-forward"),
        (lambda: circuit_with(Projection("input", "a", np.ones((2, 1))), dt=2e-3), "not in 0"),
        (lambda: circuit_with(Projection("input", "a", np.ones((2, 1))), dt=0.3e-3), "not a multiple"),
    ],
)
def test_circuits_that_make_no_sense_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def circuit_with(projection, dt=1e-3):
    population = Population("a", 1, DiscreteLIFParameters(), np.zeros(1))
    return Circuit("c", 2, (population,), (projection,), dt=dt, step=1e-3)


def test_the_hand_built_circuit_answers_and_repeats():
    rng = np.random.default_rng(0)
    spikes = as_stimuli((rng.random((2, 60, 16)) < 0.2) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    first, again = (simulate(gabor_adex_circuit(16, seed=2), spikes, progress=False) for _ in range(2))
    np.testing.assert_array_equal(first.values, again.values)
    for name in ("excitatory", "inhibitory"):
        assert first.values[:, :, first.layer.values == name].sum() > 10
