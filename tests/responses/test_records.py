"""Kinds of this room are records: what is there works on toy data, and one file or package adds another."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from neurosim.responses import (
    cluster_stimuli,
    coincidence,
    coincidence_rate,
    cross_correlogram,
    decode,
    embed_stimuli,
    firing_rate,
    fit_tuning,
    generalise,
    spike_time_f1,
    synchrony,
    tuning_curve,
)
from neurosim.responses.clusterings import CLUSTERINGS
from neurosim.responses.curves import CURVES, Curve
from neurosim.responses.decoders import DECODERS, Decoder
from neurosim.responses.embeddings import EMBEDDINGS
from neurosim.responses.rate_kernels import RATE_KERNELS
from neurosim.responses.synchrony_measures import SYNCHRONY_MEASURES
from neurosim.schema import InputError, as_responses
from tests.test_registry import installed

REGISTRIES = {r.kind: r for r in (CURVES, DECODERS, RATE_KERNELS, SYNCHRONY_MEASURES, CLUSTERINGS, EMBEDDINGS)}
RECORDS = [pytest.param(record, id=record.name) for r in (*REGISTRIES.values(),) for record in r.values()]


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_says_what_it_is(record):
    assert record.caption and record.caption[-1] != "."
    assert not record.reference or record.reference.startswith(
        ("https://doi.org/", "https://arxiv.org/", "https://www.")
    )
    options = getattr(record, "options", None)
    assert options is None or (is_dataclass(options) and options() == options())


@pytest.mark.parametrize("name", CURVES)
def test_every_curve_is_found_again_from_its_own_values(name):
    curve, x = CURVES[name], np.linspace(5, 175, 18)
    wanted = {"amplitude": 5.0, "preferred": 60.0, "width": 20.0, "gain": 0.2, "threshold": 40.0, "half": 50.0}
    true = [wanted.get(p, 2.0) for p in curve.parameters]
    values = curve.function(x, true, curve.options())
    measured = tuning_curve(as_responses(values[:, None], coords={"x": ("stimulus", x)}), "x")
    found = fit_tuning(measured, name)
    np.testing.assert_allclose([float(found[p][0]) for p in curve.parameters], true, rtol=1e-3)
    assert float(found.explained[0]) > 0.999


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_tells_classes_apart_and_does_not_beat_chance_on_noise(name):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(4, 8, 12))
    apart = as_responses(5 * rng.normal(size=(4, 1, 12)) + noise, dims=("stimulus", "trial", "unit"))
    alike = as_responses(noise, dims=("stimulus", "trial", "unit"))
    assert float(decode(apart, decoder=name, folds=4, n_orders=1, progress=False).accuracy) == 1
    assert float(decode(alike, decoder=name, folds=4, n_orders=1, progress=False).accuracy) < 0.6


@pytest.mark.parametrize("name", RATE_KERNELS)
def test_every_kernel_keeps_a_constant_rate_and_the_number_of_spikes(name):
    counts = np.zeros((1, 1000, 2))
    counts[:, :, 0], counts[:, 400, 1] = 1, 1
    rates = firing_rate(as_responses(counts, quantity="spike_count", time_step=1e-3), kernel=name)
    np.testing.assert_allclose(rates[0, :, 0], 1000)
    assert float(rates[0, :, 1].sum() * 1e-3) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", SYNCHRONY_MEASURES)
def test_every_measure_is_one_for_equal_trains_symmetric_and_less_for_others(name):
    values = np.random.default_rng(0).random((2, 400, 3)) < 0.03
    values[..., 1] = values[..., 0]
    found = synchrony(as_responses(values.astype(float), quantity="spike_count", time_step=1e-3), name)
    np.testing.assert_allclose(found, found.T)
    np.testing.assert_allclose(np.diag(found), 1)
    assert float(found[0, 1]) == pytest.approx(1) and float(found[0, 2]) < 0.8


@pytest.mark.parametrize("name", CLUSTERINGS)
def test_every_clustering_repeats_itself_and_finds_what_is_there(name):
    responses = as_responses(np.repeat([[0.0, 9.0], [9.0, 0.0], [9.0, 9.0]], 4, axis=0) + np.arange(12)[:, None] / 99)
    found, again = (cluster_stimuli(responses, 3, name, rng=1).cluster.values for _ in range(2))
    assert (found == again).all() and len(set(found[::4])) == 3 and (found.reshape(3, 4) == found[::4, None]).all()


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_every_map_repeats_itself(name):
    if name == "umap" and importlib.util.find_spec("umap") is None:
        with pytest.raises(InputError, match="umap-learn is not installed"):
            embed_stimuli(np.eye(4), name)
        return
    responses = np.random.default_rng(0).normal(size=(12, 5))
    found, again = (embed_stimuli(responses, name, rng=1) for _ in range(2))
    assert found.shape == (12, 2) and np.isfinite(found).all() and (found == again).all()


CALLS = {
    "shape": lambda name, **o: fit_tuning(
        tuning_curve(as_responses(np.eye(6), coords={"x": ("stimulus", np.arange(6.0))}), "x"), name, **o
    ),
    "decoder": lambda name, **o: decode(
        as_responses(np.ones((2, 2, 3)), dims=("stimulus", "trial", "unit")), decoder=name, **o
    ),
    "measure": lambda name, **o: synchrony(
        as_responses(np.ones((1, 9, 2)), quantity="spike_count", time_step=1e-3), name, **o
    ),
    "method": lambda name, **o: cluster_stimuli(np.eye(4), 2, name, **o),
    "map": lambda name, **o: embed_stimuli(np.eye(4), name, **o),
    "kernel": lambda name: firing_rate(
        as_responses(np.ones((1, 9, 2)), quantity="spike_count", time_step=1e-3), kernel=name
    ),
}


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("name", ["nothing", None, 3, ["gaussian"]])
def test_what_is_unknown_is_refused_by_name(kind, name):
    with pytest.raises(InputError, match=r"^\w+: unknown \w+ .*; known: \w+"):
        CALLS[kind](name)


@pytest.mark.parametrize(
    ("kind", "name", "options", "words"),
    [
        ("shape", "von_mises", {"perio": 360}, "no option 'perio'; known: period. Did you mean 'period'"),
        ("shape", "gaussian", {"period": 360}, "no option 'period'; it has none"),
        ("decoder", "linear_svm", 3, "options are a SvmOptions or given by name, found int"),
        ("measure", "spike_time_tiling", {"windows": 1}, "Did you mean 'window'"),
        ("method", "k_means", {"starts": 1}, "Did you mean 'n_starts'"),
        ("map", "tsne", {"perplexity": 100}, "perplexity = 100 of 4 stimuli"),
    ],
)
def test_options_that_a_record_does_not_have_are_refused(kind, name, options, words):
    with pytest.raises(InputError, match=words):
        CALLS[kind](name, options=options)


def test_a_record_from_a_module_of_ones_own_is_used_by_name():
    def always(patterns, labels, options):
        return lambda tested: np.full(len(tested), options.answer)

    from dataclasses import make_dataclass

    options = make_dataclass("Answer", [("answer", int, 0)], frozen=True)
    trials = as_responses(np.ones((4, 3, 2)), dims=("stimulus", "trial", "unit"))
    with DECODERS.added(Decoder("always", always, "one answer", options=options)):
        assert float(decode(trials, decoder="always", options={"answer": 2}, progress=False).accuracy) == 0.25
        labels = {"a": ("stimulus", [0, 0, 1, 1]), "b": ("stimulus", [0, 1, 0, 1])}
        assert float(generalise(trials.assign_coords(labels), "a", "b", decoder="always", progress=False).other) == 0.5
    cubic = Curve("cube", lambda x, p, _: p[0] * x**3, ("a",), lambda *_: [[1.0]], lambda *_: ([-9.0], [9.0]))
    with CURVES.added(cubic):
        x = np.arange(5.0)
        curve = tuning_curve(as_responses((2 * x**3)[:, None], coords={"x": ("stimulus", x)}), "x")
        assert float(fit_tuning(curve, "cube").a[0]) == pytest.approx(2)


PACKAGE = """
import numpy as np
from neurosim.responses.synchrony_measures import SynchronyMeasure
from neurosim.responses.rate_kernels import RateKernel

COUNT = SynchronyMeasure("count", lambda trials, duration, step, options: np.full((2, 2), float(len(trials))), "trials")
FLAT = RateKernel("flat", lambda width, step: (np.ones(3), 1), "three bins")
"""
USE = """
import sys; sys.path.insert(0, sys.argv[1])
import numpy as np, neurosim as ns
counts = ns.as_responses(np.ones((3, 9, 2)), quantity="spike_count", time_step=1e-3)
r = ns.responses
print(float(r.synchrony(counts, "count")[0, 1]), float(r.firing_rate(counts, kernel="flat").max()))
"""


def test_an_installed_package_adds_records(tmp_path):
    installed(tmp_path, "my_measures", PACKAGE)
    done = subprocess.run(
        [sys.executable, "-c", USE, tmp_path], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.split() == ["3.0", "1000.0"]


def test_reading_what_there_is_loads_nothing_heavy():
    code = "import sys\n" + "".join(
        f"from {r.package} import {n}\nassert len({n}) > 1\n"
        for n, r in (
            ("CURVES", CURVES), ("DECODERS", DECODERS), ("RATE_KERNELS", RATE_KERNELS), ("EMBEDDINGS", EMBEDDINGS),
            ("SYNCHRONY_MEASURES", SYNCHRONY_MEASURES), ("CLUSTERINGS", CLUSTERINGS),
        )
    )  # fmt: skip
    code += "print([m for m in ('torch', 'sklearn', 'scipy', 'xarray', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def spikes(n_time=40, step=1e-3, **dims):
    shape = (1, *dims.values(), n_time, 2)
    values = (np.random.default_rng(0).random(shape) < 0.2).astype(float)
    names = ("stimulus", *dims, "time", "unit")
    return as_responses(values, dims=names, quantity="spike_count", time_step=step)


@pytest.mark.parametrize(
    ("score", "trials"), [(spike_time_f1, {}), (coincidence, {"trial": 3}), (coincidence_rate, {})]
)
def test_a_time_step_that_the_times_contradict_is_not_believed(score, trials):
    fine, coarse = spikes(**trials), spikes(**trials).coarsen(time=2).sum().assign_attrs(spikes().attrs)
    with pytest.raises(InputError, match=r"the times are 0.002 to 0.002 s apart and time_step is 0.001 s"):
        score(coarse, coarse)
    other = fine.assign_coords(time=fine.time * 2).assign_attrs(time_step=2e-3)
    with pytest.raises(InputError, match=r"one time_step asked, found 0\.001 s and 0\.002 s"):
        score(fine, other)
    silent = fine.copy()
    del silent.attrs["time_step"]
    with pytest.raises(InputError, match="need a time_step in attrs"):
        score(fine, silent)


def test_correlograms_say_which_reach_or_how_many_trials():
    with pytest.raises(InputError, match=r"reach = 0.1 s; from one bin \(0.001 s\) to half of a trial \(0.019 s\)"):
        cross_correlogram(spikes(trial=2), reach=0.1)
    with pytest.raises(InputError, match="known from 2 trials on, found 1"):
        cross_correlogram(spikes(), reach=5e-3)
    assert cross_correlogram(spikes(), reach=5e-3, correct=False).sizes["lag"] == 11


def test_options_are_written_down_where_they_are():
    for record in (*CURVES.values(), *DECODERS.values(), *SYNCHRONY_MEASURES.values(), *CLUSTERINGS.values()):
        assert all(f.name in record.options.__doc__ for f in fields(record.options))
