"""Brian2 searches for garbage before each run: what was there is left out of it, and nothing is kept for long."""

import gc
import weakref

import brian2 as b2
import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics import garbage
from neurosim.biophysics.garbage import LARGE, RUNS, unsearched


class Ring:
    """An object that holds itself, as networks of Brian2 do."""

    def __init__(self):
        self.own = self


@pytest.fixture
def nothing_frozen(monkeypatch):
    """A collector that searches only where it is asked."""
    gc.disable()
    monkeypatch.setattr(garbage._Left, "runs", 0)
    monkeypatch.setattr(garbage._Left, "size", 0)
    yield
    gc.enable()


def one_run(size=0):
    with unsearched() as leaves:
        leaves(size)
        return weakref.ref(Ring())


@pytest.mark.parametrize(("sizes", "searched_in"), [([0] * RUNS, RUNS), ([0, LARGE // 2, LARGE], 3)])
def test_what_runs_leave_is_freed_after_some_runs_or_large_networks(nothing_frozen, sizes, searched_in):
    left = [one_run(size) for size in sizes[: searched_in - 1]]
    assert all(ring() is not None for ring in left)
    one_run(sizes[searched_in - 1])
    assert not any(ring() is not None for ring in left)


def test_a_search_within_a_run_finds_what_the_run_made_and_looks_at_nothing_else(nothing_frozen):
    """As Brian2 does at the start of every run; an error in it leaves nothing frozen behind."""
    before = weakref.ref(Ring())
    with pytest.raises(ZeroDivisionError), unsearched():
        within = weakref.ref(Ring())
        gc.collect()
        assert before() is not None
        assert within() is None
        raise ZeroDivisionError
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert before() is None


def test_a_program_that_froze_its_objects_is_let_alone(nothing_frozen):
    gc.freeze()
    count = gc.get_freeze_count()
    with unsearched():
        pass
    assert gc.get_freeze_count() == count > 0
    gc.unfreeze()


@pytest.mark.parametrize("way", ["circuit", "network", "function"])
def test_runs_of_brian2_look_at_what_they_made_alone(nothing_frozen, monkeypatch, way):
    """Of a circuit, of a network that is restored for each stimulus, and of a function that makes it anew."""
    shown = ns.as_stimuli(np.ones((2, 3)))
    seen, plain = [], b2.Network.run

    def watched(network, *args, level=0, **options):
        seen.append(gc.get_freeze_count())
        return plain(network, *args, level=level + 2, **options)

    monkeypatch.setattr(b2.Network, "run", watched)
    if way == "circuit":
        neurons = ns.biophysics.Population("own", 2, ns.biophysics.LIFParameters(), 2e-10)
        ns.simulate(
            ns.biophysics.Circuit("own", ns.biophysics.Input(3), (neurons,), (), 1e-4, 1e-3),
            ns.as_stimuli(np.ones((2, 5, 3)), dims=("stimulus", "time", "unit"), time_step=1e-3), progress=False,
        )  # fmt: skip
    else:

        def made():
            cells = b2.NeuronGroup(3, "dv/dt = (drive - v) / (10*ms) : 1\ndrive : 1", threshold="v > 0.5",
                                   reset="v = 0", method="exact", name="cells")  # fmt: skip
            spikes = b2.SpikeMonitor(cells, name="spikes")
            return b2.Network(cells, spikes)

        def present(network, stimulus):
            network["cells"].drive = stimulus.values

        monkeypatch.setitem(b2.prefs, "codegen.target", "numpy")
        how = {"duration": 5e-3, "progress": False}
        source = made() if way == "network" else made
        ns.biophysics.record_brian2(source, shown, present=present, **how)
    assert seen
    assert all(count > 10_000 for count in seen)
    assert gc.get_freeze_count() == 0
