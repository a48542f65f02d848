"""SONATA files become the circuits that they say: NEST's own spikes, back bit for bit, or refused by name."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import neurosim as ns
from neurosim import storage
from neurosim.biophysics import (
    SONATA_MODELS,
    AdExParameters,
    AllToAll,
    AlphaParameters,
    Circuit,
    ConductanceParameters,
    DeltaParameters,
    ExponentialParameters,
    FixedProbability,
    Input,
    LIFParameters,
    Monitors,
    Normal,
    Population,
    Projection,
    TsodyksMarkramParameters,
    Uniform,
    connect,
    load_sonata,
    random_positions,
    save_circuit,
    save_sonata,
    save_sonata_spikes,
    simulate,
    sonata_stimuli,
)
from neurosim.refusals import InputError
from neurosim.storage import StorageError
from tests.biophysics.sonata_world import (
    ADAPTIVE,
    CONDUCTING,
    DT,
    DURATION,
    NEURONS,
    SCALE,
    drawn,
    reference,
    write_world,
)

NEST = json.loads(Path(__file__).with_name("nest_spikes.json").read_text())


@pytest.fixture
def world(tmp_path):
    return write_world(tmp_path / "world", "iaf_psc_exp")


def fired(circuit, stimuli, engine="torch"):
    found = simulate(circuit, stimuli, engine=engine, monitors=Monitors(spike_times=True), progress=False)
    steps = np.rint(found.spike_time.values / circuit.dt).astype(int)
    return [np.sort(steps[found.spike_unit.values == i]).tolist() for i in range(found.sizes["unit"])]


@pytest.mark.parametrize("model", SCALE)
def test_every_spike_comes_when_nest_says(model, tmp_path):
    config = write_world(tmp_path / "world", model)
    circuit = load_sonata(config)
    stimuli = sonata_stimuli(config, {"outer": config.parent / "spikes.h5"}, dt=DT, duration=DURATION)
    # NEST calls a step by its end
    assert [[k + 1 for k in train] for train in fired(circuit, stimuli)] == NEST[model]


def steps_of(folder, model, dt, duration):
    """Steps after which the neurons of a world fire here."""
    config = write_world(folder, model)
    stimuli = sonata_stimuli(config, {"outer": config.parent / "spikes.h5"}, dt=dt, duration=duration)
    return [[k + 1 for k in train] for train in fired(load_sonata(config, dt=dt), stimuli)]


@pytest.mark.parametrize("model", ["iaf_cond_exp", "iaf_cond_alpha", "glif_psc"])
def test_leaky_neurons_send_every_spike_when_their_equations_say(model, tmp_path):
    expected = reference(model, DT, DURATION)
    assert sum(map(len, expected)) > 280
    assert steps_of(tmp_path / "world", model, DT, DURATION) == expected


@pytest.mark.parametrize("model", [k for k in CONDUCTING | ADAPTIVE if k.startswith("aeif")])
def test_adaptive_neurons_fire_when_their_equations_say(model, tmp_path):
    dt, duration = 2e-5, 0.03
    expected, found = reference(model, dt, duration, 2), steps_of(tmp_path / "world", model, dt, duration)
    assert list(map(len, found)) == list(map(len, expected))
    assert sum(map(len, expected)) > 40
    np.testing.assert_allclose(np.concatenate(found) * dt, np.concatenate(expected) * dt, atol=0.3e-3)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ('"spike_dependent_threshold": true', "GLIF 2, 4 and 5: a threshold and a reset that depend on the spikes"),
        ('"after_spike_currents": true', "GLIF 3, 4 and 5: currents after spikes"),
        ('"adapting_threshold": true', "GLIF 5: a threshold that follows the membrane"),
        ('"tau_syn": [2.0, 3.0]', "tau_syn of nest:glif_psc has 2 ports of synapses; one is read"),
    ],
)
def test_what_a_glif_has_more_is_named(number, words, tmp_path):
    config = write_world(tmp_path / "glif", "glif_psc")
    edit(config, "components/7.json", lambda t: t.replace("}", f', "asc_amps": [1.0, 2.0], {number}}}'))
    with pytest.raises(InputError, match=words):
        load_sonata(config)
    if "true" in number:
        edit(config, "components/7.json", lambda t: t.replace("true", "false"))
        assert load_sonata(config).population("cells").size == NEURONS


def test_the_tables_become_the_populations_and_projections_that_they_say(world):
    d, circuit = drawn(), load_sonata(world, step=1e-3)
    cells = circuit.population("cells")
    assert (circuit.dt, circuit.step, circuit.inputs) == (DT, 1e-3, Input(5))
    np.testing.assert_allclose(cells.number("capacitance"), d["capacity"] * 1e-12)
    np.testing.assert_allclose(cells.number("v_reset"), np.where(d["type"] == 7, -60e-3, -64e-3))
    np.testing.assert_allclose(cells.drive, np.where(d["type"] == 7, 150e-12, 200e-12))
    np.testing.assert_allclose(cells.positions, np.stack([np.arange(12), np.arange(12) ** 2], 1) * 1e-6)
    np.testing.assert_allclose(cells.initial["v"], np.where(d["type"] == 7, -70e-3, -60e-3))
    assert cells.receptors == {"excitatory": ExponentialParameters(2.5e-3), "inhibitory": ExponentialParameters(6e-3)}
    arrived = sum(q.weights.toarray() for q in circuit.projections if q.source == "cells")
    expected = np.zeros((NEURONS, NEURONS))
    np.add.at(expected, (d["source"], d["target"]), 500e-12 * d["size"] * np.where(d["source"] >= 8, -1, 1))
    np.testing.assert_allclose(arrived, expected)
    for q in circuit.projections:
        assert (q.values > 0).all() if q.receptor == "excitatory" else (q.values < 0).all()
    outer = next(q for q in circuit.projections if q.source == "input")
    assert outer.delay == pytest.approx(1.5e-3)
    assert outer.values.sum() == pytest.approx(30 * 2 * 0.6 * 500e-12)


@pytest.mark.parametrize(
    ("delay", "words"),
    [
        (
            1.55,
            r"inner_edges.*: 70 edges have delays such as 1.55 ms, 15.5 steps of 0.1 ms; .*a dt= that divides",
        ),
        (-0.5, r"70 edges have delays such as -0.5 ms, -5 steps of 0.1 ms"),
    ],
)
def test_delays_are_refused_as_the_file_says_them(world, delay, words):
    """Not with the step that is added to them, because a spike leaves a neuron of NEST at the end of its step."""
    put(world, "inner_edges.h5", "edges/inner/0/delay", np.full(70, delay))
    with pytest.raises(InputError, match=words):
        load_sonata(world)
    if delay > 0:
        assert load_sonata(world, dt=5e-5).dt == 5e-5


def test_synapses_of_one_pair_keep_each_its_delay(world):
    d, circuit = drawn(), load_sonata(world)
    expected = sorted(zip(d["source"], d["target"], np.rint(d["delay"] * 10).astype(int) + 1, strict=True))
    found = []
    for q in circuit.projections:
        if q.source == "cells":
            source, target, _ = q.synapses()
            found += zip(source, target, np.rint(q.delays() / DT).astype(int), strict=True)
    assert sorted(found) == expected
    assert len(set(zip(d["source"], d["target"], strict=True))) < len(expected)


def edit(world, file, change):
    path = world.parent / file
    path.write_text(change(path.read_text()))


def put(world, file, name, values, **attrs):
    with h5py.File(world.parent / "network" / file, "r+") as held:
        if name in held:
            attrs = {**held[name].attrs, **attrs}
            del held[name]
        if values is not None:
            held[name] = values
            held[name].attrs.update(attrs)


def test_nodes_may_have_numbers_of_their_own_and_words_from_a_library(world):
    plain = load_sonata(world)
    put(world, "cells_nodes.h5", "nodes/cells/node_id", 40 + 3 * np.arange(NEURONS)[::-1])
    for file, name in (("inner_edges.h5", "inner/source"), ("inner_edges.h5", "inner/target")):
        ids = drawn()[name.split("/")[1]]
        put(world, file, f"edges/{name}_node_id", 40 + 3 * (NEURONS - 1 - ids))
    put(world, "outer_edges.h5", "edges/outer_inner/target_node_id", 40 + 3 * (NEURONS - 1 - drawn()["outer_target"]))
    put(world, "cells_nodes.h5", "nodes/cells/0/model_type", np.zeros(NEURONS, np.uint8))
    put(world, "cells_nodes.h5", "nodes/cells/0/@library/model_type", np.array([b"point_process"]))
    for before, after in zip(plain.projections, load_sonata(world).projections, strict=True):
        np.testing.assert_array_equal(after.weights.toarray(), before.weights.toarray())


def test_a_type_that_is_of_another_population_is_left_alone(world):
    edit(world, "network/cells_node_types.csv", lambda t: t.replace(" ei\n", " population\n").replace('"i"', "cells"))
    edit(world, "network/cells_node_types.csv", lambda t: t.replace('"e"', "NULL") + "8 biophysical hoc:x NULL other\n")
    assert load_sonata(world).population("cells").size == NEURONS


REFUSED = {
    "no step": (lambda w: load_sonata(w.parent / "circuit_config.json"), "says no step; give dt"),
    "no SONATA": (lambda w: edit(w, "circuit_config.json", lambda t: '{"a": 1}'), "'networks' asked, found 'a'"),
    "multicompartment": (
        lambda w: edit(w, "network/cells_node_types.csv", lambda t: t.replace("point_neuron", "biophysical")),
        "nodes of 'cells' are biophysical; point neurons and virtual",
    ),
    "unknown neuron": (
        lambda w: edit(w, "network/cells_node_types.csv", lambda t: t.replace("iaf_psc_exp", "izhikevich")),
        r"'nest:izhikevich', for which no exact counterpart is known .*mapping=\{'nest:izhikevich'",
    ),
    "two models": (
        lambda w: edit(w, "network/cells_node_types.csv", lambda t: t.replace("iaf_psc_exp", "iaf_psc_alpha", 1)),
        "neurons of 2 models",
    ),
    "unknown number": (
        lambda w: edit(w, "components/7.json", lambda t: t.replace("I_e", "rho")),
        "'rho' of nest:iaf_psc_exp has no counterpart; known: E_L",
    ),
    "text as number": (
        lambda w: edit(w, "components/7.json", lambda t: t.replace("150.0", '"x"')),
        "is a number, found",
    ),
    "other taus": (
        lambda w: edit(w, "components/7.json", lambda t: t.replace("2.5", "3.5")),
        "tau_syn_ex differs between neurons of 'cells'",
    ),
    "plastic": (
        lambda w: edit(w, "network/inner_edge_types.csv", lambda t: t.replace("static", "stdp")),
        "synapses with 'stdp_synapse' have no exact counterpart",
    ),
    "function": (
        lambda w: edit(
            w, "network/outer_edge_types.csv", lambda t: "edge_type_id syn_weight weight_function\n5 3 tuned\n"
        ),
        "synapses with 'tuned' have no exact",
    ),
    "a synapse of its own": (
        lambda w: edit(
            w, "network/outer_edge_types.csv", lambda t: "edge_type_id syn_weight dynamics_params\n5 3 7.json\n"
        ),
        "7.json says 'tau_m', which is not represented",
    ),
    "no number": (
        lambda w: edit(w, "network/outer_edge_types.csv", lambda t: t.replace("1.5", "soon")),
        "delay of type 5 is 'soon', no number",
    ),
    "no weight": (
        lambda w: put(w, "inner_edges.h5", "edges/inner/0/syn_weight", np.full(70, np.nan)),
        "70 edges have no syn_weight",
    ),
    "unknown type": (
        lambda w: put(w, "outer_nodes.h5", "nodes/outer/node_type_id", [2] * 5),
        "has the type 2, which no",
    ),
    "unknown node": (
        lambda w: put(w, "inner_edges.h5", "edges/inner/source_node_id", np.full(70, 12)),
        "names node 12, which 'cells' has not",
    ),
    "unknown population": (
        lambda w: put(w, "inner_edges.h5", "edges/inner/source_node_id", np.zeros(70, int), node_population="ghosts"),
        "leads from 'ghosts' to 'cells'",
    ),
    "no population": (
        lambda w: [put(w, "inner_edges.h5", "edges/inner/source_node_id", v) for v in (None, np.zeros(70, int))],
        "'inner': source_node_id has no attribute 'node_population'",
    ),
    "onto the input": (
        lambda w: put(w, "inner_edges.h5", "edges/inner/target_node_id", np.zeros(70, int), node_population="outer"),
        "leads from 'cells' to 'outer'; a population to one of point",
    ),
    "rows": (
        lambda w: edit(w, "network/outer_edge_types.csv", lambda t: t + "6 1 1\n"),
        "4 columns asked in every row, found 3",
    ),
    "no variable": (
        lambda w: edit(w, "circuit_config.json", lambda t: t.replace("$NET/cells_nodes", "$NIL/cells_nodes")),
        r"no variable of the manifest for '\$NIL/cells_nodes.h5'",
    ),
    "a circle": (
        lambda w: edit(w, "circuit_config.json", lambda t: t.replace('"$BASE": "."', '"$BASE": "$NET"')),
        "no variable of the manifest",
    ),
    "no components": (
        lambda w: edit(w, "circuit_config.json", lambda t: t.replace("point_neuron_models_dir", "other_dir")),
        "names no 'point_neuron_models_dir'",
    ),
    "a step that is none": (
        lambda w: edit(w, "simulation_config.json", lambda t: t.replace("0.1", '"x"')),
        "simulation_config.json and the files that it names are no SONATA circuit .ValueError",
    ),
    "another manifest": (
        lambda w: edit(w, "circuit_config.json", lambda t: t.replace('"manifest": {', '"manifest": [], "a": {')),
        "are no SONATA circuit .AttributeError",
    ),
    "places beyond the group": (
        lambda w: put(w, "inner_edges.h5", "edges/inner/edge_group_index", np.full(70, 70)),
        "SONATA",
    ),
    "virtual alone": (
        lambda w: edit(w, "network/cells_node_types.csv", lambda t: t.replace("point_neuron", "virtual")),
        "leads from 'cells' to 'cells'|has no point neurons, only cells, outer",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_the_same_here_is_refused_by_name(kind, world):
    change, words = REFUSED[kind]
    with pytest.raises(InputError, match=words) as error:
        change(world)
        load_sonata(world)
    assert "\n" not in str(error.value)


def test_nothing_leads_out_of_the_folder(world, tmp_path):
    (tmp_path / "secret.json").write_text((world.parent / "components" / "7.json").read_text())
    edit(world, "network/cells_node_types.csv", lambda t: t.replace("7.json", "../../secret.json"))
    with pytest.raises(StorageError, match=r"secret.json', which leads out of 'world'; where it may, say root="):
        load_sonata(world)
    load_sonata(world, root=tmp_path)
    put(world, "cells_nodes.h5", "nodes/cells/0/x", None)
    with h5py.File(world.parent / "network" / "cells_nodes.h5", "r+") as file:
        file["nodes/cells/0/x"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
    with pytest.raises(StorageError, match="links to another place"):
        load_sonata(world, root=tmp_path)


def test_a_mapping_says_what_to_take_for_a_neuron_that_is_not_known(world):
    plain = load_sonata(world)
    edit(world, "network/cells_node_types.csv", lambda t: t.replace("nest:iaf_psc_exp", "other:lif"))
    for taken in ("nest:iaf_psc_exp", SONATA_MODELS["nest:iaf_psc_exp"]):
        assert str(load_sonata(world, mapping={"other:lif": taken})) == str(plain)


def test_an_integrate_and_fire_neuron_of_neuron_fires_when_its_number_passes_one(world):
    edit(world, "network/cells_node_types.csv", lambda t: t.replace("nest:iaf_psc_exp", "nrn:IntFire1"))
    for kind in (7, 100):
        (world.parent / "components" / f"{kind}.json").write_text(
            '{"tau": 0.01, "refrac": 0.003, "type": "NEURON_IntFire1"}'
        )
    put(world, "cells_nodes.h5", "nodes/cells/0/dynamics_params/C_m", None)
    edit(world, "network/outer_edge_types.csv", lambda t: "edge_type_id syn_weight delay\n5 0.24 0.0\n")
    edit(world, "network/inner_edge_types.csv", lambda t: "edge_type_id\n5\n")
    put(world, "inner_edges.h5", "edges/inner/0/syn_weight", np.zeros(70))
    circuit = load_sonata(world)
    stimuli = sonata_stimuli(world, {"outer": world.parent / "spikes.h5"}, dt=DT, duration=DURATION)
    arrivals = stimuli.values[0] @ np.array([q.weights.toarray() for q in circuit.projections]).sum(0) / 0.1
    expected = [[] for _ in range(NEURONS)]
    m, wait = np.zeros(NEURONS), np.zeros(NEURONS, int)
    for step, w in enumerate(arrivals):
        m = np.where(wait > 0, 0.0, m * np.exp(-0.1 / 10) + w)
        wait = np.maximum(wait - 1, 0)
        for i in np.flatnonzero(m > 1):
            expected[i].append(step)
            m[i], wait[i] = 0.0, 30
    edit(world, "components/7.json", lambda t: t.replace("0.01", "10.0"))
    with pytest.raises(InputError, match="tau and refrac in s asked, up to 1 s, found 10"):
        load_sonata(world)
    assert sum(map(len, expected)) > 30
    assert fired(circuit, stimuli) == expected


# ------------------------------------------------------------------------------------------------- written and read
def of_kind(synapses, scale):
    cells = Population(
        "cells", 7, LIFParameters(), drive=np.linspace(1e-10, 2.3e-10, 7), synapses=synapses,
        varying={"capacitance": np.linspace(9e-11, 2e-10, 7)}, positions=random_positions(7, (1e-3,) * 3),
        initial={"v": np.linspace(-70e-3, -55e-3, 7)},
    )  # fmt: skip
    two = {"receptor": "inhibitory"} if isinstance(synapses, dict) else {}
    one = {"receptor": "excitatory"} if isinstance(synapses, dict) else {}
    wires = (
        connect(AllToAll(), Input(4), cells, weight=scale, delay=1e-3, **one),
        connect(FixedProbability(0.6), cells, cells, weight=Normal(scale / 3, scale / 30), delay=2e-3, **one),
        connect(
            FixedProbability(0.4), cells, cells, weight=-scale / 7, delay=Uniform(1e-3, 3e-3), dt=1e-4, rng=1, **two
        ),
    )
    return Circuit("c", Input(4), (cells,), wires, dt=1e-4, step=1e-3)


KINDS = {
    "delta": of_kind(DeltaParameters(), 3e-3),
    "exponential": of_kind(ExponentialParameters(3e-3), 3e-10),
    "alpha": of_kind({"excitatory": AlphaParameters(1.7e-3), "inhibitory": AlphaParameters(5e-3)}, 2e-10),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_circuit_comes_back_bit_for_bit(kind, tmp_path):
    circuit = KINDS[kind]
    config = save_sonata(tmp_path / "saved", circuit)
    before, after = (save_circuit(tmp_path / f"{k}.nc", c) for k, c in enumerate((circuit, load_sonata(config))))
    assert before.read_bytes() == after.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_alone_say_the_same_circuit(kind, tmp_path):
    circuit = KINDS[kind]
    config = save_sonata(tmp_path / "saved", circuit)
    content = json.loads(config.read_text())
    del content["neurosim"]
    config.write_text(json.dumps(content))
    read = load_sonata(config, dt=1e-4, step=1e-3)
    a, b = circuit.population("cells"), read.population("cells")
    for name in ("capacitance", "g_leak", "e_leak", "v_threshold", "v_reset", "refractory"):
        np.testing.assert_allclose(b.number(name), a.number(name), rtol=1e-12)
    np.testing.assert_allclose(b.drive, a.drive, rtol=1e-12)
    np.testing.assert_allclose(b.initial["v"], a.initial["v"], rtol=1e-12)
    np.testing.assert_allclose(b.positions, a.positions, rtol=1e-12)
    for before, after in zip(circuit.projections, read.projections, strict=True):
        np.testing.assert_allclose(after.weights.toarray(), before.weights.toarray(), rtol=1e-12)
        np.testing.assert_allclose(after.delays(), before.delays(), atol=1e-15)
    shown = ns.as_stimuli(
        (np.random.default_rng(0).random((1, 80, 4)) < 0.1).astype(float),
        dims=("stimulus", "time", "unit"),
        time_step=1e-3,
    )
    assert fired(read, shown) == fired(circuit, shown)
    assert sum(map(len, fired(read, shown))) > 20


def test_a_saved_circuit_that_was_changed_is_not_taken_for_the_old_one(tmp_path):
    config = save_sonata(tmp_path / "saved", KINDS["delta"])
    with pytest.raises(InputError, match=r"saved whole with its step and records, and dt is given; take the key"):
        load_sonata(config, dt=1e-4)
    with h5py.File(config.parent / "network" / "input_to_cells_edges.h5", "r+") as file:
        file["edges/input_to_cells/0/syn_weight"][0] = 9.0
    with pytest.raises(InputError, match=r"network/input_to_cells_edges.h5 was changed since"):
        load_sonata(config)


def changed(**fields):
    circuit = KINDS["delta"]
    return replace(circuit, populations=(replace(circuit.populations[0], **fields),))


@pytest.mark.parametrize(
    ("circuit", "words"),
    [
        (lambda: changed(parameters=AdExParameters(), varying={}), "neurons .AdExParameters. that are not leaky"),
        (lambda: changed(parameters=LIFParameters(reset="subtract")), "a reset to no value"),
        (lambda: changed(synapses=ConductanceParameters()), "synapses .ConductanceParameters. of another kind"),
        (lambda: changed(noise=1e-3), "has noise = 0.001"),
        (lambda: changed(initial={"wait": 3.0}), "has initial 'wait'"),
        (lambda: changed(varying={"leak_decay": np.full(7, 0.9)}), "varying 'leak_decay'"),
        (
            lambda: replace(
                KINDS["delta"],
                projections=tuple(replace(q, release=TsodyksMarkramParameters()) for q in KINDS["delta"].projections),
            ),
            "input->cells has release, which its files cannot say",
        ),
        (lambda: replace(KINDS["delta"], inputs=Input(4, "current"), projections=()), "is a current"),
        (
            lambda: replace(KINDS["exponential"], projections=(Projection("cells", "cells", np.eye(7)),)),
            r"cells->cells has delays from 0 s on; others count them from the end of a step, so 0.0001 s at least",
        ),
        (
            lambda: replace(
                KINDS["alpha"],
                projections=tuple(q.map(abs) for q in KINDS["alpha"].projections),
            ),
            r"several of its receptors \(excitatory, inhibitory\) receive weights of one sign",
        ),
    ],
)
def test_what_sonata_cannot_hold_is_refused_by_name(circuit, words, tmp_path):
    with pytest.raises(InputError, match=words) as error:
        save_sonata(tmp_path / "saved", circuit())
    assert "\n" not in str(error.value)
    assert not (tmp_path / "saved").exists()


# ------------------------------------------------------------------------------------------------- spikes
def test_spikes_are_written_for_others_and_read_as_a_table_and_as_input(tmp_path, world):
    circuit = load_sonata(world)
    stimuli = sonata_stimuli(world, {"outer": world.parent / "spikes.h5"}, dt=DT, duration=DURATION)
    found = simulate(circuit, stimuli, engine="torch", monitors=Monitors(spike_times=True), progress=False)
    path = save_sonata_spikes(tmp_path / "spikes.h5", found)
    table = ns.recordings.load_spikes(path)
    assert len(table) == found.sizes["spike"]
    for i in range(NEURONS):
        np.testing.assert_allclose(
            table.time[table.unit == f"cells/{i}"], np.sort(found.spike_time[found.spike_unit == i]), atol=1e-12
        )
    with h5py.File(path) as file:
        assert file["spikes/cells"].attrs["sorting"] == 2
        assert (np.diff(file["spikes/cells/timestamps"]) >= 0).all()
    with h5py.File(world.parent / "spikes.h5") as file:
        ids, times = file["spikes/outer/node_ids"][()], file["spikes/outer/timestamps"][()]
    assert stimuli.unit.values.tolist() == [f"outer/{i}" for i in range(5)]
    for i in range(5):
        np.testing.assert_array_equal(np.flatnonzero(stimuli[0, :, i]), np.rint(times[ids == i] * 10))


def test_spikes_that_do_not_fit_are_refused(world, tmp_path):
    def shown(name="outer", file="spikes.h5", dt=DT):
        return sonata_stimuli(world, {name: world.parent / file}, dt=dt, duration=DURATION)

    storage.write_text(world.parent / "no.h5", "no")
    with h5py.File(world.parent / "far.h5", "w") as file:
        file["spikes/inner/node_ids"], file["spikes/inner/timestamps"] = [0], [1.0]
    with h5py.File(world.parent / "old.h5", "w") as file:
        file["spikes/gids"], file["spikes/timestamps"] = [0, 4], [1.0, 2.0]
    with h5py.File(world.parent / "units.h5", "w") as file:
        file["spikes/outer/node_ids"], file["spikes/outer/timestamps"] = [0], [1.0]
        file["spikes/outer/timestamps"].attrs["units"] = "days"
    assert [x.tolist() for x in np.nonzero(shown(file="old.h5").values[0])] == [[10, 20], [0, 4]]
    for call, error, words in (
        (lambda: shown("cells"), InputError, "no virtual population 'cells'; there are outer"),
        (lambda: shown(file="far.h5"), InputError, "has spikes of inner, not of 'outer'"),
        (lambda: shown(dt=5e-3), InputError, "spikes within 0.005 s at .* shorten dt"),
        (lambda: shown(file="no.h5"), StorageError, "no.h5"),
        (lambda: shown(file="units.h5"), InputError, "times in 'days'; known: ms"),
        (lambda: save_sonata_spikes(tmp_path / "x.h5", shown()), InputError, "found no spike times"),
    ):
        with pytest.raises(error, match=words):
            call()
