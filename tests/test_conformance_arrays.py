"""Whatever array is brought, every public function that takes one answers alike, or refuses it in one line.

A public function that is in none of the three tables fails the first test: what is added tomorrow is asked too.
"""

import inspect

import brian2 as b2
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

import neurosim as ns
from neurosim.biophysics.fitting.electrode import Electrode
from neurosim.biophysics.fitting.neuron import FittedNeuron
from neurosim.namespaces import public_names
from neurosim.networks.generative import GAN
from neurosim.networks.som import SelfOrganisingMap
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.parameters import DiscreteLIFParameters
from tests.public import public

N, UNITS = 10, 6
IDS = [f"s{i}" for i in range(N)]
RNG = np.random.default_rng(7)
MATRIX = RNG.integers(1, 64, (N, UNITS)) / 4.0
OTHER = RNG.integers(1, 64, (N, UNITS)) / 4.0
SQUARE = np.abs(MATRIX[:, None] - MATRIX[None]).sum(-1)
SQUARE_OTHER = np.abs(OTHER[:, None] - OTHER[None]).sum(-1)
FLAT = RNG.integers(0, 8, (N, UNITS)) / 8.0
PICTURES = RNG.integers(0, 8, (3, 9, 9)) / 8.0
SOUND = RNG.integers(-8, 8, 800) / 8.0
COUNTS = (RNG.random((2, 40, 2)) < 0.2).astype(float)
RATES = MATRIX + 1.0
SERIES = RNG.integers(0, 8, (3, 20, 4)) / 8.0

# name -> (values, dims, call). The call is given the values in another form each time.
CALLS = {
    "as_responses": (MATRIX, ("stimulus", "unit"), ns.as_responses),
    "as_stimuli": (FLAT, ("stimulus", "unit"), ns.as_stimuli),
    "as_rdm": (SQUARE, ("stimulus", "stimulus_other"), ns.as_rdm),
    "as_trials": (MATRIX, None, lambda x: ns.as_trials(x, ["a", "b"] * (N // 2))),
    "load_stimuli": (PICTURES, ("stimulus", "y", "x"), ns.load_stimuli),
    "encode_rate": (FLAT, ("stimulus", "unit"), lambda x: ns.stimuli.encode_rate(x, n_steps=4)),
    "gabor_energy": (PICTURES, ("stimulus", "y", "x"), lambda x: ns.stimuli.gabor_energy(x, grid=2)),
    "saccades": (PICTURES, ("stimulus", "y", "x"), lambda x: ns.stimuli.saccades(x, n_steps=3)),
    "mel_spectrogram": (SOUND, None, lambda x: ns.stimuli.mel_spectrogram(x, 8000.0, n_bands=4)),
    "record_brian2": (FLAT, ("stimulus", "unit"), lambda x: driven_by(x).responses),
    "compute_rdm": (MATRIX, ("stimulus", "unit"), lambda x: ns.compute_rdm(x, "euclidean")),
    "compare_rdms": (SQUARE, ("stimulus", "stimulus_other"), lambda x: compared(x, as_form_of(x, SQUARE_OTHER))),
    "cka": (MATRIX, ("stimulus", "unit"), lambda x: ns.similarity.cka(x, as_form_of(x, OTHER))),
    "cca": (MATRIX, ("stimulus", "unit"), lambda x: ns.similarity.cca(x, as_form_of(x, OTHER), variance=0.8)),
    "soft_matching": (MATRIX, ("stimulus", "unit"), lambda x: ns.similarity.soft_matching(x, as_form_of(x, OTHER))),
    "coincidence_rate": (
        COUNTS,
        ("stimulus", "time", "unit"),
        lambda x: ns.responses.coincidence_rate(*spikes(x), tolerance=1e-3),
    ),
    "spike_time_f1": (COUNTS, ("stimulus", "time", "unit"), lambda x: ns.responses.spike_time_f1(*spikes(x))),
    "sparseness": (RATES, ("stimulus", "unit"), ns.responses.sparseness),
    "participation_ratio": (MATRIX, ("stimulus", "unit"), ns.responses.participation_ratio),
    "embed_stimuli": (MATRIX, ("stimulus", "unit"), ns.responses.embed_stimuli),
    "cluster_stimuli": (MATRIX, ("stimulus", "unit"), lambda x: ns.responses.cluster_stimuli(x, 2)),
    "reweight_features": (
        MATRIX,
        ("stimulus", "unit"),
        lambda x: ns.similarity.reweight_features(x, SQUARE_OTHER, progress=False),
    ),
    "predict_responses": (
        MATRIX,
        ("stimulus", "unit"),
        lambda x: ns.similarity.predict_responses(x, OTHER, folds=2, progress=False),
    ),
    "regress_rdm": (
        SQUARE,
        ("stimulus", "stimulus_other"),
        lambda x: ns.similarity.regress_rdm(x, {"m": SQUARE_OTHER}, resample=("stimulus",)),
    ),
    "infer": (SQUARE, ("stimulus", "stimulus_other"), lambda x: ns.infer({"m": x}, SUBJECTS, progress=False)),
    "neighbours": (MATRIX, None, lambda x: ns.similarity.neighbours(x, 8.0).toarray()),
    "searchlights": (MATRIX, None, lambda x: ns.similarity.searchlights(x, 8.0)),
    "surface_searchlights": (
        MATRIX[:, :3],
        None,
        lambda x: ns.similarity.surface_searchlights(x, [[0, 1, 2], [2, 3, 4], [5, 6, 7], [7, 8, 9]], 8.0),
    ),
    "searchlight_scores": (
        MATRIX,
        ("stimulus", "unit"),
        lambda x: ns.similarity.searchlight_scores(
            x, [[0, 1, 2], [3, 4, 5]], {"m": SQUARE_OTHER}, metric="euclidean", progress=False
        ),
    ),
    "arrange": (SQUARE, None, ns.similarity.arrange),
    "stress": (SQUARE, None, lambda x: ns.similarity.stress(x, MATRIX[:, :2])),
    "noise_precision": (MATRIX, ("stimulus", "unit"), ns.similarity.noise_precision),
    "over_time": (COUNTS, ("stimulus", "time", "unit"), ns.responses.over_time),
    "dsa": (
        SERIES,
        ("stimulus", "time", "unit"),
        lambda x: ns.similarity.dsa(x, as_form_of(x, SERIES[:, ::2]), n_delays=2, rank=2),
    ),
    "synthetic_brain": (
        MATRIX,
        ("stimulus", "unit"),
        lambda x: ns.recordings.synthetic_brain(x, ns.recordings.BrainOptions(n_subjects=2, n_units=3)),
    ),
    "normalize": (RATES, None, lambda x: ns.similarity.normalize(x, RATES[::-1])),
    "compare_by": (
        MATRIX,
        ("stimulus", "unit"),
        lambda x: ns.similarity.compare_by(x, as_form_of(x, OTHER), progress=False),
    ),
    "power_analysis": (
        MATRIX,
        ("stimulus", "unit"),
        lambda x: ns.power_analysis(
            x, as_form_of(x, OTHER), design=ns.ExperimentDesign((3,), n_units=(4,)), n_simulations=1, progress=False
        ),
    ),
}
SUBJECTS = np.stack([SQUARE_OTHER, SQUARE_OTHER.T[::-1, ::-1], SQUARE])

# what takes arrays of a form that a bare table cannot have (time, trials, a network, sweeps, a label): each is asked
# that it refuses nonsense by name.
LABELLED = {
    "average_trials": ns.responses.average_trials,
    "balanced": lambda x: ns.stimuli.balanced(x, 1),
    "encode_delta": lambda x: ns.stimuli.encode_delta(x, threshold=0.1),
    "coincidence": lambda x: ns.responses.coincidence(x, x),
    "compare_cka": ns.similarity.compare_cka,
    "rebin": lambda x: ns.responses.rebin(x, 0.01),
    "firing_rate": ns.responses.firing_rate,
    "tuning_curve": lambda x: ns.responses.tuning_curve(x, "orientation"),
    "select_reliable": ns.responses.select_reliable,
    "signal_to_noise": ns.responses.signal_to_noise,
    "demixed_pca": lambda x: ns.responses.demixed_pca(x, "category"),
    "targeted_axes": lambda x: ns.responses.targeted_axes(x, "angle"),
    "jpca": ns.responses.jpca,
    "gpfa": lambda x: ns.responses.gpfa(x, 2),
    "spectrogram": lambda x: ns.responses.spectrogram(x, bandwidth=100.0),
    "coherence": lambda x: ns.responses.coherence(x, bandwidth=100.0),
    "split_half_reliability": ns.responses.split_half_reliability,
    "cross_validated_pca": ns.responses.cross_validated_pca,
    "decode": lambda x: ns.responses.decode(x, progress=False),
    "generalise": lambda x: ns.responses.generalise(x, "category", "time", progress=False),
    "burst_statistics": ns.responses.burst_statistics,
    "first_spike_latency": ns.responses.first_spike_latency,
    "cross_correlogram": ns.responses.cross_correlogram,
    "synchrony": ns.responses.synchrony,
    "fano_factor": ns.responses.fano_factor,
    "interval_variability": ns.responses.interval_variability,
    "noise_correlation": ns.responses.noise_correlation,
    "psth": ns.responses.psth,
    "signal_correlation": ns.responses.signal_correlation,
    "spike_rdm": lambda x: ns.similarity.spike_rdm(x, progress=False),
    "stochastic_shape": lambda x: ns.similarity.stochastic_shape(x, x),
    "jackknife": lambda x: ns.similarity.jackknife(ns.similarity.cka, x, x, progress=False),
    "representational_connectivity": ns.similarity.representational_connectivity,
    "lagged_scores": lambda x: ns.similarity.lagged_scores(x, x, max_lag=0.1),
    "surface_neighbours": lambda x: ns.similarity.surface_neighbours(x, 64),
    "to_mne": ns.recordings.to_mne,
    "sensor_neighbours": ns.recordings.sensor_neighbours,
    "latencies": ns.similarity.latencies,
    "sign_flip_test": ns.similarity.sign_flip_test,
    "model_rdm": lambda x: ns.similarity.model_rdm(x, "category"),
    "triplet_rdm": ns.similarity.triplet_rdm,
    "arrangement_rdm": lambda x: ns.similarity.arrangement_rdm([x]),
    "mantel_test": lambda x: ns.similarity.mantel_test(x, x),
    "compare_predictions": lambda x: ns.similarity.compare_predictions({"a": x, "b": x}),
    "combine_subjects": lambda x: ns.similarity.combine_subjects(x, {"a": x, "b": x, "c": x}),
    "partition_variance": lambda x: ns.similarity.partition_variance(x, {"a": SQUARE, "b": SQUARE_OTHER}),
    "as_events": lambda x: ns.stimuli.as_events(x, {"unit": x}, [1], sensor={"unit": 2}),
    "bin_events": lambda x: ns.stimuli.bin_events(x, ns.stimuli.EventBins(2, n_events=1)),
    "event_task": lambda x: ns.tasks.event_task(x, ns.stimuli.EventBins(2, n_events=1)),
    "cochlea_spikes": lambda x: ns.stimuli.cochlea_spikes(x, 8000.0),
    "classification_task": ns.tasks.classification_task,
    "lazy_task": ns.tasks.lazy_task,
    "spike_triggered_average": lambda x: ns.biophysics.spike_triggered_average(x, x),
    "fit_poisson": lambda x: ns.biophysics.fit_poisson(x, x),
    "fit_coupled": lambda x: ns.biophysics.fit_coupled(x, progress=False),
    "fit_driven": lambda x: ns.biophysics.fit_driven(x, x, progress=False),
    "detect_spikes": ns.biophysics.detect_spikes,
    "estimate_electrode": ns.biophysics.estimate_electrode,
    "fit_neuron": lambda x: ns.biophysics.fit_neuron(x, progress=False),
    "as_sweeps": lambda x: ns.as_sweeps(x, x, time_step=1e-4),
    "bin_spikes": ns.recordings.bin_spikes,
    "align_series": lambda x: ns.recordings.align_series(x, pd.DataFrame({"start_time": [0.0], "stimulus": ["a"]})),
    "record_responses": lambda x: ns.record_responses(torch.nn.Linear(UNITS, 2), x, progress=False),
    "explain": lambda x: ns.networks.explain(torch.nn.Linear(UNITS, 2), x, progress=False),
    "attention_rollout": lambda x: ns.networks.attention_rollout(torch.nn.Linear(UNITS, 2), x),
    "to_spiking": lambda x: ns.networks.to_spiking(
        torch.nn.Sequential(torch.nn.Linear(UNITS, 2), torch.nn.ReLU(), torch.nn.Linear(2, 2)), x
    ),
    "conversion_loss": lambda x: ns.networks.conversion_loss(torch.nn.Linear(UNITS, 2), x, x),
    "synaptic_operations": lambda x: ns.networks.synaptic_operations(torch.nn.Linear(UNITS, 2), x),
    "fit_readout": lambda x: ns.networks.fit_readout(torch.nn.Linear(UNITS, 2), x),
    "separation": ns.responses.separation,
    "two_views": lambda x: ns.tasks.two_views(x, abs),
    "train": lambda x: ns.train(torch.nn.Linear(UNITS, 2), x, progress=False),
    "simulate": lambda x: ns.simulate(neuron(), x, progress=False),
    "simulate_morphology": lambda x: ns.biophysics.simulate_morphology(cable(), x, ["dendrite"], progress=False),
    "learn": lambda x: ns.biophysics.learn(neuron(), x),
    "label_trials": lambda x: ns.recordings.label_trials(x, {"running": x}),
    "regress_out": lambda x: ns.responses.regress_out(x, "running"),
    "to_pynapple": ns.recordings.to_pynapple,
    "to_brian2": lambda x: ns.biophysics.to_brian2(neuron(), x),
    "lfp_proxy": lambda x: ns.biophysics.lfp_proxy(x, x),
    "fit_tuning": lambda x: ns.responses.fit_tuning(x, "gaussian"),
    "orientation_selectivity": ns.responses.orientation_selectivity,
    "align_spikes": lambda x: ns.recordings.align_spikes(x, pd.DataFrame({"start_time": [0.0], "stimulus": ["a"]})),
    "over_instances": ns.networks.over_instances,
    "evaluate": lambda x: ns.networks.evaluate(torch.nn.Linear(UNITS, 2), x),
    "classical_baselines": lambda x: ns.networks.classical_baselines(x, progress=False),
    "train_gan": lambda x: ns.networks.train_gan(GAN((8, 8)), x, progress=False),
    "train_som": lambda x: ns.networks.train_som(SelfOrganisingMap(UNITS), x, progress=False),
    "eprop_gradients": lambda x: ns.networks.eprop_gradients(
        torch.nn.Linear(UNITS, 5), SpikingLayer(DiscreteLIFParameters()), torch.nn.Linear(5, 3), x, x
    ),
    "gradient_angles": lambda x: ns.networks.gradient_angles(torch.nn.Linear(UNITS, 2), x, "feedback_alignment"),
    "words_for": lambda x: ns.networks.words_for("encoder", x),
    "psychometric": lambda x: ns.tasks.psychometric(x, "coherence"),
    "choose_category": lambda x: ns.biophysics.choose_category(neuron(), x),
    "calibrate": lambda x: ns.biophysics.calibrate(neuron(), x, x, progress=False),
    "homeostasis": lambda x: ns.biophysics.homeostasis(neuron(), x, x, progress=False),
    "make_biological": lambda x: ns.biophysics.make_biological(neuron(), "adex", x, ["a"], progress=False),
    "retune": lambda x: ns.biophysics.retune(neuron(), x, ["a"], progress=False),
    "perturbation_effect": lambda x: ns.perturbation_effect(torch.nn.Linear(UNITS, 2), {}, x, progress=False),
    "compensate": lambda x: ns.biophysics.compensate(
        x, Electrode(np.ones(3), 1e-4, 1e6, 1e-10, 1e8, {}, xr.DataArray(1.0))
    ),
    "predict_spikes": lambda x: ns.biophysics.predict_spikes(
        FittedNeuron(ns.biophysics.LIFParameters(), None, 1e-4, {}), x, progress=False
    ),
    "spatial_map": lambda x: ns.responses.spatial_map({"a": [0.1]}, x),
    "save_nifti": lambda x: ns.recordings.save_nifti(x, "never_written.nii", mask="nothing.nii"),
    "save_rdms": lambda x: ns.recordings.save_rdms(x, "nowhere/never_written.nc"),
    "save_nwb": lambda x: ns.recordings.save_nwb("never_written.nwb", x, description="nonsense"),
    "save_assembly": lambda x: ns.recordings.save_assembly("never_written.nc", x, identifier="a", stimulus_set="b"),
    "compare_subjects": lambda x: ns.compare_subjects(x, {}, {}, out="never_written"),
    "to_circuit": ns.to_circuit,
    "stimuli_from_nir": ns.biophysics.stimuli_from_nir,
    "responses_to_nir": lambda x: ns.biophysics.responses_to_nir(neuron(), x),
    "connect": lambda x: ns.biophysics.connect(
        ns.biophysics.AllToAll(), ns.biophysics.Input(2), neuron().populations[0], weight=x
    ),
    "save_sonata_spikes": lambda x: ns.biophysics.save_sonata_spikes("never_written.h5", x),
    "grid_positions": lambda x: ns.biophysics.grid_positions(x, 1e-3),
    "random_positions": lambda x: ns.biophysics.random_positions(3, x),
    "verify_translation": lambda x: ns.verify_translation(torch.nn.Linear(UNITS, 2), neuron(), x, progress=False),
}
# what takes no array, or draws what another function returned
NONE = set(
    """
    architecture_of
    as_words
    build_circuit
    build_network
    check_range
    check_results
    check_study
    cite
    climb
    cognitive_task
    count_synapses
    data_folder
    do_job
    environment_changes
    event_drops
    event_flips
    event_jitter
    event_shifts
    examine_machine
    figure_bytes
    find_study
    from_neurogym
    from_nir
    from_snntorch
    house_style
    iterate_image_folder
    kept
    list_datasets
    load_betas
    load_bids
    load_cifar10
    load_circuit
    load_dataset
    load_digits
    load_epochs
    load_events
    load_hugging_face
    load_image_folder
    load_mnist
    load_neo
    load_nir
    load_nir_data
    load_nmnist
    load_nwb_responses
    load_nwb_series
    load_rdms
    load_responses
    load_sentences
    load_sonata
    load_source
    load_spikes
    load_spoken_digits
    load_study
    load_swc
    load_sweeps
    load_time_series
    maximise_activation
    n_parameters
    neo_events
    neo_series
    neo_spikes
    new_figure
    new_study
    open_streamed
    perturb_circuit
    protocol
    perturbed
    prune
    recomputed
    register_datasets
    replace_head
    rerun_results
    ring_positions
    run_study
    save_brain_score
    save_circuit
    save_crate
    save_hugging_face
    save_scores
    save_sonata
    single_neuron
    sonata_stimuli
    study_status
    submit_study
    to_nir
    to_snntorch
    use_data_folder
    yang_task
    """.split()  # noqa: SIM905
)


def cable():
    return ns.biophysics.Morphology(["dendrite"] * 2, [[0, 0, 0], [1e-4, 0, 0]], [1e-6] * 2, [-1, 0])


def neuron():
    return ns.biophysics.single_neuron(ns.biophysics.LIFParameters(), 1e-4)


def driven_by(x):
    """What cells in Brian2 answer that fire where their input is above a half."""
    cells = b2.NeuronGroup(UNITS, "drive : 1", threshold="drive > 0.5", reset="", codeobj_class=b2.NumpyCodeObject)
    network = b2.Network(cells, b2.SpikeMonitor(cells, codeobj_class=b2.NumpyCodeObject))
    return ns.biophysics.record_brian2(
        network, x, present=lambda stimulus: setattr(cells, "drive", stimulus.values), duration=2e-4, progress=False
    )


def as_form_of(like, values):
    """`values` as the same kind of array as `like`, so that a function of two is given two of a kind."""
    if isinstance(like, torch.Tensor):
        return torch.as_tensor(values)
    if isinstance(like, xr.DataArray) and like.dtype.kind == "f":
        return xr.DataArray(values, dims=like.dims, coords={d: like[d].values for d in like.dims if d in like.coords})
    return values


def compared(x, y):
    """Tensors have a leading dim and methods that can be differentiated."""
    return ns.compare_rdms(*((x[None], y[None]) if isinstance(x, torch.Tensor) else (x, y)), "corr")


def spikes(x):
    """Counts in any form, and the same counts moved by a step, both with a time step."""
    observed = ns.as_responses(x, quantity="spike_count", time_step=1e-3)
    return observed, observed.copy(data=np.roll(observed.values, 1, axis=1))


def forms(values, dims):
    wide = np.zeros((*values.shape[:-1], 2 * values.shape[-1]))
    wide[..., ::2] = values
    found = {
        "list": values.tolist(),
        "float32": values.astype(np.float32),
        "strided": wide[..., ::2],
        "fortran": np.asfortranarray(values),
        "tensor": torch.tensor(values, requires_grad=True),
    }
    if dims is not None:
        found["DataArray"] = xr.DataArray(values, dims=dims)
    if values.ndim == 2:
        found["DataFrame"] = pd.DataFrame(values)
    return found


def numbers(result):
    if isinstance(result, xr.Dataset):
        return np.concatenate(
            [np.ravel(v.values).astype(float) for v in result.data_vars.values() if v.dtype.kind in "biuf"]
        )
    if isinstance(result, torch.Tensor):
        return result.detach().numpy().ravel()
    return np.ravel(np.asarray(getattr(result, "values", result), dtype=float))


def nonsense():
    bad = MATRIX.copy()
    bad[1, 2] = np.nan
    return {
        "complex": MATRIX + 1j,
        "no_rows": np.zeros((0, UNITS)),
        "objects": MATRIX.astype(object),
        "text": np.full((N, UNITS), "a"),
        "nan": bad,
        "labelled_complex": xr.DataArray(MATRIX + 1j, dims=("stimulus", "unit")),
        "nothing": None,
    }


GOOD = [(name, form) for name, (values, dims, _) in CALLS.items() for form in forms(values, dims)]
TAKEN = ("as_trials", "nan")  # a unit that was not measured in a trial: see tests/recordings/test_trials_run.py
BAD = [(name, kind) for name in (*CALLS, *LABELLED) for kind in nonsense() if (name, kind) != TAKEN]


def test_every_public_function_is_asked():
    functions = {n for n, thing in public().items() if inspect.isfunction(thing) and not n.startswith("plot_")}
    of_files = {n for n in public_names()["neurosim.storage"] if n in functions}
    assert functions == set(CALLS) | set(LABELLED) | NONE | of_files
    assert not (set(CALLS) & set(LABELLED)) | (NONE & (set(CALLS) | set(LABELLED)))


@pytest.mark.parametrize(("name", "form"), GOOD)
def test_every_form_of_an_array_gives_the_same_numbers(name, form):
    values, dims, call = CALLS[name]
    wanted = numbers(call(values))
    assert wanted.size
    np.testing.assert_allclose(numbers(call(forms(values, dims)[form])), wanted, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), BAD)
def test_nonsense_is_refused_in_one_line(name, kind):
    call = CALLS[name][2] if name in CALLS else LABELLED[name]
    with pytest.raises(ns.InputError) as caught:
        call(nonsense()[kind])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


TURN = RNG.permutation(N)
TRACK = xr.DataArray(np.linspace(0, 1, 50)[:, None], dims=("time", "axis"), coords={"time": np.arange(50) * 0.1})


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (
            lambda: ns.similarity.arrange(pd.DataFrame(SQUARE, IDS, IDS).iloc[:, TURN]),
            lambda: ns.similarity.arrange(SQUARE),
        ),
        (
            lambda: ns.similarity.normalize(
                pd.Series(MATRIX[0] + 1, list("abcdef")), pd.Series(RATES[1], list("abcdef"))[::-1]
            ),
            lambda: (MATRIX[0] + 1) / RATES[1],
        ),
        (lambda: ns.similarity.normalize(named(MATRIX[0]), RATES[1]), lambda: MATRIX[0] / RATES[1]),
        (
            lambda: ns.recordings.synthetic_brain(
                xr.DataArray(MATRIX.T, dims=("unit", "stimulus")), ns.recordings.BrainOptions(n_subjects=2, n_units=3)
            ),
            lambda: ns.recordings.synthetic_brain(MATRIX, ns.recordings.BrainOptions(n_subjects=2, n_units=3)),
        ),
        (lambda: ns.responses.average_trials(half_measured()), lambda: np.stack([MATRIX[:5].mean(0), *MATRIX[5:]])),
        (
            lambda: ns.responses.over_time(xr.DataArray(COUNTS, dims=("stimulus", "time", "unit"), attrs=SPIKES)),
            lambda: COUNTS.sum(1),
        ),
        (lambda: ns.responses.over_time(COUNTS), lambda: COUNTS.mean(1)),
        (
            lambda: ns.similarity.noise_precision(half_measured(), shrinkage="diagonal"),
            lambda: 1 / MATRIX[:5].var(0, ddof=1),
        ),
    ],
)
def test_names_dims_and_places_without_a_measurement_are_followed(call, wanted):
    np.testing.assert_allclose(numbers(call()), numbers(wanted()), rtol=1e-9, atol=1e-9)


SPIKES = {"quantity": "spike_count"}


def named(values):
    return xr.DataArray(values, dims="unit", coords={"unit": list("abcdef")})


def half_measured():
    """The first stimulus was shown five times, the others once."""
    return ns.as_trials(MATRIX, [*["a"] * 5, *"bcdef"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ns.responses.average_trials(COUNTS), "may hold trials or time"),
        (lambda: ns.responses.average_trials(half_measured() * np.nan), "all values are NaN"),
        (lambda: ns.responses.over_time(xr.DataArray([[np.nan]], dims=("time", "unit"))), "NaN"),
        (lambda: ns.similarity.normalize(named(MATRIX[0]), named(RATES[1])[:3]), "have 3 and 6 along"),
        (lambda: ns.similarity.normalize(named(MATRIX[0]), RATES[1][:3]), "average or rename"),
        (lambda: ns.responses.fit_tuning(xr.Dataset(), "gaussian"), "as tuning_curve returns it"),
        (lambda: ns.similarity.noise_precision(ns.as_responses(COUNTS)), r"needs \(stimulus, trial, unit\)"),
        (lambda: ns.networks.over_instances([MATRIX, MATRIX]), "what evaluate returns"),
        (lambda: ns.similarity.spike_rdm("spikes"), "nested lists of spike times"),
        (lambda: ns.responses.spatial_map({"a": [0.1, np.nan]}, TRACK), "finite times"),
        (lambda: ns.responses.spatial_map({"a": [1j]}, TRACK), "complex"),
        (lambda: ns.responses.spatial_map([0.1], TRACK), "unit: times in s"),
        (lambda: ns.responses.spatial_map({"a": [0.1]}, TRACK.drop_vars("time")), "with its time in s"),
        (lambda: ns.similarity.arrange(MATRIX), r"\(n, n\) asked"),
    ],
)
def test_what_has_no_plain_meaning_is_asked_for(call, message):
    with pytest.raises(ns.InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
