"""Every ingredient of analyses/ingredients in little: it answers as a plain Brian2 script does, on every engine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from neurosim.biophysics import learn

HERE = Path(__file__).parents[1] / "analyses" / "ingredients"
sys.path.insert(0, str(HERE))

import table1_ingredients  # noqa: E402
from ingredient import World, agreement, difference  # noqa: E402
from together import answers, together  # noqa: E402

FAMILIES = table1_ingredients.ingredients()
ALL = {one.name: one for family in FAMILIES.values() for one in family}
ASKED = {"spikes": 0.95, "weights": 0.9, "statistics": 0.8}
COMPILED = (
    "free equations",
    "AMPA, NMDA and GABA-A on one neuron",
    "a delay for each synapse",
    "gap junctions",
    "short-term facilitation",
    "saturating receptors",
    "synaptic failures",
    "Ornstein-Uhlenbeck currents",
    "a background of many Poisson processes",
    "a Poisson population",
    "STDP, triplets",
    "dopamine STDP",
)
LITTLE = {"seconds": 0.12, "dt": 1e-4}


def test_names_are_unique():
    assert len(ALL) == sum(map(len, FAMILIES.values()))


@pytest.mark.parametrize("name", ALL)
def test_both_scripts_answer_alike(name):
    one = ALL[name]
    long_enough = {"seconds": 0.4, "dt": 1e-4} if one.kind == "statistics" else LITTLE
    world = World(**{"seconds": 0.08, "dt": 2e-5} if one.is_stiff else long_enough)
    asked, found = one.plain(world), answers({name: one.ours(world)}, "torch")[name]
    assert len(asked[0] if isinstance(asked, tuple) else asked) > 20
    assert agreement(found, asked, one.kind) >= ASKED[one.kind]


@pytest.mark.parametrize("name", FAMILIES)
def test_an_ingredient_answers_the_same_alone_and_together(name):
    cases = {one.name: one.ours(World(seconds=0.05, dt=1e-4)) for one in FAMILIES[name]}
    whole = answers(cases, "brian2")
    for last in list(cases)[-2:]:
        alone = answers({last: cases[last]}, "brian2")[last]
        assert np.size(alone) and difference(whole[last], alone) == 0


def test_one_compiled_program_learns_and_sends_what_brian2_and_torch_do():
    """Equations, receptors, delays, junctions, release, failures, currents, background, Poisson neurons, plasticity."""
    if not shutil.which("g++"):
        pytest.skip("needs a C++ compiler")
    case = together({name: ALL[name].ours(World(**LITTLE)) for name in COMPILED})
    how = {"modulator": case.modulator, "record_every": 40e-3, "progress": False}
    wanted, *others = (
        learn(case.circuit, case.shown, engine=engine, **how) for engine in ("brian2", "cpp_standalone", "torch")
    )
    assert wanted.responses.groupby("layer").sum(...).min() > 20
    for found in others:
        np.testing.assert_array_equal(found.responses.values, wanted.responses.values)
    compiled, on_torch = others
    for name, weights in wanted.weights.items():
        assert weights.shape == (4, 100) and (np.ptp(weights.values, axis=0) > 0).any()
        np.testing.assert_array_equal(compiled.weights[name].values, weights.values)
        np.testing.assert_allclose(on_torch.weights[name].values, weights.values, rtol=1e-12)
