"""A picture of a circuit says what its counts say: every population, every projection, from left to right."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import neurosim as ns
from neurosim.biophysics import Circuit, Input, LIFParameters, Population, Projection, count_synapses
from neurosim.plots.canvas import figure_bytes, house_style, new_figure
from neurosim.plots.circuits import EXCITES, INHIBITS, plot_circuit, plot_positions
from neurosim.schema import InputError

SIZES = {"relay": 4, "excitatory": 6, "inhibitory": 3, "readout": 2, "alone": 1}


def counted():
    populations = tuple(Population(name, n, LIFParameters()) for name, n in SIZES.items())
    weights = [("input", "relay", 1.0), ("relay", "excitatory", 1.0), ("excitatory", "inhibitory", 2.0)]
    weights += [("inhibitory", "excitatory", -3.0), ("inhibitory", "inhibitory", -1.0), ("excitatory", "readout", 1.0)]
    weights += [("input", "readout", 1.0)]
    sizes = {"input": 5, **SIZES}
    wires = [Projection(s, t, np.full((sizes[s], sizes[t]), w), delay=1e-3) for s, t, w in weights]
    half = np.zeros((6, 3))
    half[0] = 4.0
    wires.append(Projection("excitatory", "inhibitory", half, delay=3e-3))
    return count_synapses(Circuit("c", Input(5), populations, tuple(wires), 1e-3, 1e-3))


def test_synapses_are_counted_over_all_projections_between_two_populations():
    counts = counted()
    assert counts.n_synapses.sel(source="excitatory", target="inhibitory") == 18 + 3
    assert counts.mean_weight.sel(source="excitatory", target="inhibitory") == pytest.approx((18 * 2 + 3 * 4) / 21)
    assert counts.mean_delay.sel(source="excitatory", target="inhibitory") == pytest.approx((18 + 3 * 3) / 21 * 1e-3)
    assert counts.n_synapses.sum() == 20 + 24 + 21 + 18 + 9 + 12 + 10
    assert np.isnan(counts.mean_weight.sel(source="readout", target="input"))
    assert counts["size"].values.tolist() == [5, *SIZES.values()]


def test_every_population_and_projection_is_drawn_from_left_to_right():
    ax = plot_circuit(counted(), new_figure(8, 4).subplots())
    texts = [t.get_text() for t in ax.texts]
    assert texts[:12] == [x for name, n in {"input": 5, **SIZES}.items() for x in (name, str(n))]
    assert sorted(texts[12:]) == sorted(["20", "24", "21", "18", "9", "12", "10"])
    boxes = [p for p in ax.patches if isinstance(p, FancyBboxPatch)]
    places = dict(zip(["input", *SIZES], [(p.get_x(), p.get_y()) for p in boxes], strict=True))
    left = {name: place[0] for name, place in places.items()}
    assert left["input"] == left["alone"] < left["relay"] < left["excitatory"] == left["inhibitory"] < left["readout"]
    corners = np.array(list(places.values()))
    for k, corner in enumerate(corners):
        apart = np.abs(np.delete(corners, k, axis=0) - corner)
        assert ((apart[:, 0] > boxes[k].get_width()) | (apart[:, 1] > boxes[k].get_height())).all()
    arrows = [to_hex(p.get_edgecolor()) for p in ax.patches if isinstance(p, FancyArrowPatch)]
    assert sorted(arrows) == sorted([EXCITES.lower()] * 5 + [INHIBITS.lower()] * 2)


def test_the_same_circuit_gives_the_same_bytes():
    def drawn():
        figure = new_figure(3, 2)
        plot_circuit(counted(), figure.subplots())
        return figure_bytes(figure)

    with house_style():
        assert drawn() == drawn()


def test_places_are_drawn_in_the_plane_that_is_asked():
    places = {"a": np.array([[1e-3, 2e-3, 3e-3]]), "b": np.array([[0.0, 0.0, 5e-4]])}
    ax = plot_positions(places, new_figure().subplots(), plane="xz")
    np.testing.assert_allclose([c.get_offsets()[0] for c in ax.collections], [[1000, 3000], [0, 500]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x (µm)", "z (µm)")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda ax: plot_circuit(np.eye(2), ax), "what biophysics.count_synapses returns asked"),
        (lambda ax: plot_positions({"a": np.zeros((3, 2))}, ax, plane="xz"), r"with the axes xz, found \(3, 2\)"),
        (lambda ax: plot_positions({"a": None}, ax), "found none"),
        (lambda ax: plot_positions({"a": np.zeros((3, 2))}, ax, plane="yx"), "known: xy, xz, yz"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, words):
    with pytest.raises(InputError, match=words):
        draw(ns.plots.new_figure().subplots())


@pytest.mark.parametrize("n", [3, 4, 7])
def test_of_a_dense_circuit_no_number_touches_another_or_a_population(n):
    """As they are drawn: all populations reach each other and themselves, and an input reaches two of them."""
    rng = np.random.default_rng(n)
    names = ["input", *(f"layer{k}" for k in range(n))]
    synapses = rng.integers(10, 10**7, (n + 1, n + 1))
    synapses[:, 0] = synapses[0, 3:] = 0
    pair = ("source", "target")
    counts = xr.Dataset(
        {"n_synapses": (pair, synapses), "mean_weight": (pair, rng.normal(size=synapses.shape))},
        coords={"source": names, "target": names, "size": ("source", np.full(n + 1, 100))},
    )
    ax = plot_circuit(counts)
    figure = ax.get_figure(root=True)
    figure.draw_without_rendering()
    numbers = [t.get_window_extent() for t in ax.texts[2 * (n + 1) :]]
    boxes = [p.get_window_extent() for p in ax.patches if isinstance(p, FancyBboxPatch)]
    assert len(numbers) == (synapses > 0).sum() and len(boxes) == n + 1
    for k, one in enumerate(numbers):
        assert not one.count_overlaps([*boxes, *numbers[:k]])
        assert figure.bbox.containsx(one.x0) and figure.bbox.containsx(one.x1)
    plt.close(figure)
