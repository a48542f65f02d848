"""What is the last line of a cell is shown: short, without the numbers of arrays, and as a table that is HTML."""

import dataclasses
import inspect
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pydantic
import pytest
import scipy.sparse
import xarray as xr

import neurosim as ns
from neurosim.registry import Registry
from neurosim.showing import as_table, brief, shown
from tests.public import public

EVIL = "<script>alert('a & b')</script>"
VOID = {"br"}
LARGE = np.random.default_rng(0).normal(size=(300, 200))
PICTURES = ns.stimuli.balanced(ns.load_digits(), 2)


class Reader(HTMLParser):
    """Reads HTML, and refuses what is not closed in order or is no part of a table."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.seen, self.text = [], set(), ""

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text += data


def read(text):
    """Return what a page says, and assert that it is a whole one of tables."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    assert reader.seen <= {"div", "p", "b", "a", "br", "table", "thead", "tbody", "tr", "th", "td"}, reader.seen
    return reader.text


def circuit(name="cells", n=200):
    """Return a circuit whose weights are far too many to be read."""
    cells = ns.biophysics.Population(name, n, ns.biophysics.LIFParameters(), drive=np.zeros(n))
    wires = (
        ns.biophysics.Projection("input", name, LARGE[:, :n] * 1e-3),
        ns.biophysics.Projection(name, name, scipy.sparse.csr_array(np.eye(n) * 1e-3), delay=1e-3),
    )
    return ns.biophysics.Circuit(EVIL, ns.biophysics.Input(len(LARGE)), (cells,), wires, dt=1e-4, step=1e-3)


def study(**more):
    """Return a study with a name and titles of strangers."""
    rows = {"stimuli": {"source": "digits"}, "subjects": {"a": {"kind": "circuit", "circuit": "gabor_adex"}}, **more}
    return ns.study.Study(
        name="mine", title=EVIL, brains={"b": {"kind": "synthetic", "tuning": {"gabor": 1.0}}}, **rows
    )


def events():
    """Return many recordings with a label of strangers."""
    return ns.stimuli.as_events(
        range(4000), {"unit": [0, 1] * 2000}, [2] * 2000, sensor={"unit": 2}, labels={"category": [EVIL, "b"] * 1000}
    )


def examples():
    """Return, by public name, a record of every class that holds arrays, functions or rows of strangers."""
    one = circuit()
    spikes = ns.as_responses(LARGE[:, None] > 0, quantity="spike_count", time_step=1e-3)
    return {
        "Circuit": one,
        "Population": one.populations[0],
        "Projection": one.projections[1],
        "Input": one.inputs,
        "Readout": ns.biophysics.Readout("cells", LARGE, np.zeros(200)),
        "Learned": ns.biophysics.Learned(one, spikes, {"a": spikes}, {}),
        "Recorded": ns.biophysics.Recorded(spikes, {EVIL: spikes}),
        "Biological": ns.biophysics.Biological(
            one,
            one,
            "climbed",
            xr.Dataset(
                {
                    **{k: ("stage", [0.5]) for k in ("accuracy", "share_kept", "share_error", "seconds")},
                    **{k: (("stage", "layer"), [[0.5]]) for k in ("rate_ratio", "correlation")},
                },
                {"stage": ["climbed"], "layer": ["cells"]},
                {"accuracy_network": 0.9, "n_reported": 20, "n_chosen": 20, "n_learnt": 80},
            ),
            None,
        ),
        "GivenCurrent": ns.biophysics.GivenCurrent(LARGE, 1e-3),
        "StepCurrent": ns.biophysics.StepCurrent(tuple(range(1000)), (1e-10,) * 1000),
        "FromTable": ns.biophysics.FromTable(np.arange(1000), np.arange(1000)),
        "Poisson": ns.biophysics.Poisson(np.full(1000, 5.0), 1e-3),
        "EventSet": events(),
        "Study": study(),
        "Outcome": ns.study.Outcome(Path(EVIL), 3, 1),
        "task of pictures": ns.tasks.classification_task(PICTURES),
        "task of trials": ns.tasks.cognitive_task("context_decision"),
        "task of events": ns.tasks.event_task(events(), ns.stimuli.EventBins(5, time_step=1e-3)),
        "Data": ns.networks.Data([(LARGE, LARGE)]),
    }


EXAMPLES = examples()
REGISTRIES = {name: thing for name, thing in public().items() if isinstance(thing, Registry)}
RECORDS = {
    name: thing for name, thing in public().items() if inspect.isclass(thing) and dataclasses.is_dataclass(thing)
}
TABLES = {n: t for n, t in public().items() if inspect.isclass(t) and issubclass(t, pydantic.BaseModel)}


def check_text(record):
    """Assert that the text of a record can be read at a glance."""
    text = repr(record)
    assert len(text.splitlines()) <= 40, text
    assert len(text) <= 4000, text
    for dump in ("array(", " at 0x", "<xarray", "dtype="):
        assert dump not in text, text


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_record_is_short_and_its_table_is_whole(name):
    check_text(EXAMPLES[name])
    said = read(EXAMPLES[name]._repr_html_())
    assert len(said) <= 6000


@pytest.mark.parametrize("name", REGISTRIES)
def test_every_kind_is_named_and_each_is_short(name):
    registry = REGISTRIES[name]
    check_text(registry)
    said, text = read(registry._repr_html_()), " ".join(repr(registry).split())
    for kind, record in registry.items():
        assert kind in said
        assert kind in text
        check_text(record)
        if hasattr(record, "_repr_html_"):
            read(record._repr_html_())


@pytest.mark.parametrize("name", RECORDS)
def test_no_public_record_is_forgotten(name):
    """A record of numbers alone is short as it is; of all others there is an example here, or a registry holds them."""
    record = RECORDS[name]
    needed = [
        f
        for f in dataclasses.fields(record)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if name in EXAMPLES or any(registry.record is record for registry in REGISTRIES.values()):
        assert "_repr_html_" in vars(record)
    elif not needed:
        check_text(record())
    else:
        of_numbers = {
            "str",
            "int",
            "float",
            "bool",
            "str | Path",
            "Path",
            "type[Parameters]",
            "Parameters",
            "PerturbationKind",
        }
        large = {f.name: str(f.type) for f in needed if str(f.type) not in of_numbers}
        assert not large or "_repr_html_" in vars(record), f"{name} holds {large}"


@pytest.mark.parametrize("name", TABLES)
def test_a_row_of_a_study_says_what_is_not_as_by_default(name):
    row = TABLES[name]
    assert row.__repr__ is not pydantic.BaseModel.__repr__
    needed = [k for k, f in row.model_fields.items() if f.is_required()]
    if not needed:
        assert repr(row()) == f"{name}()"
        read(row()._repr_html_())


def test_names_of_strangers_are_text_in_a_table():
    for record in (circuit(), study(), events(), EXAMPLES["Recorded"]):
        assert EVIL in read(record._repr_html_())
        assert "<script" not in record._repr_html_()
    assert "<script" not in EXAMPLES["Outcome"]._repr_html_()
    assert read(as_table(EVIL, [(EVIL, 1)], (EVIL, "n"))).count(EVIL) == 3


def test_a_circuit_says_populations_neurons_and_synapses():
    text, said = repr(circuit("retina", 50)), read(circuit("retina", 50)._repr_html_())
    for part in ("retina", "50", "lif", "delta", "300", "15000 synapses", "50 synapses", "dt 0.0001 s"):
        assert part in text
        assert part in said


def test_a_circuit_of_many_populations_is_cut():
    cells = tuple(ns.biophysics.Population(f"p{k}", 2, ns.biophysics.LIFParameters()) for k in range(40))
    wires = [ns.biophysics.Projection("input", p.name, np.ones((1, 2)) * 1e-3) for p in cells]
    many = ns.biophysics.Circuit("many", ns.biophysics.Input(1), cells, tuple(wires), dt=1e-4, step=1e-3)
    check_text(many)
    assert "26 populations more" in repr(many)
    assert "26 projections more" in repr(many)
    assert "p39" not in repr(many)


def test_a_long_row_of_a_study_is_one_line_of_it():
    row = {"kind": "circuit", "circuit": "gabor_adex", "options": {"n_excitatory": 40, "n_inhibitory": 10}, "blocks": 8}
    row["title"] = "a circuit of simple cells that nobody trained, of forty excitatory neurons"
    line = next(line for line in repr(study(subjects={"v1": row})).splitlines() if "v1" in line)
    assert "blocks=8)" in line
    assert "\\n" not in line


def test_steps_say_what_the_store_has_of_them():
    assert repr(ns.study.check_study(study())[0]) == "<stimuli: miss>"


def test_a_study_of_many_subjects_is_cut():
    rows = {f"s{k}": {"kind": "circuit", "circuit": "gabor_adex"} for k in range(60)}
    check_text(study(subjects=rows))
    assert "more" in repr(study(subjects=rows)).splitlines()[-1]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (LARGE, "float64 (300, 200)"),
        (LARGE.astype(np.float32)[0, 0], f"{float(LARGE.astype(np.float32)[0, 0])!r}"),
        (scipy.sparse.csr_array(np.eye(5)), "float64 (5, 5), 5 stored"),
        (xr.DataArray(LARGE, dims=("stimulus", "unit")), "DataArray (stimulus 300, unit 200)"),
        (test_a_study_of_many_subjects_is_cut, "test_a_study_of_many_subjects_is_cut"),
        (lambda x: x, "<lambda>"),
        ({"a": LARGE}, "{'a': float64 (300, 200)}"),
        (tuple(range(9)), "(0, 1, 2, 3, 4, 5, ... 9 in all)"),
        ((1,), "(1,)"),
        ("two\nlines", "'two lines'"),
        (None, "None"),
    ],
)
def test_values_are_told_in_a_line(value, said):
    assert brief(value) == said


def test_what_is_by_default_is_left_out_of_the_text_and_stands_in_the_table():
    @shown
    @dataclasses.dataclass(frozen=True)
    class Cells:
        name: str
        tau_mem: float = 0.02
        weights: np.ndarray | None = None

    assert repr(Cells("E")).endswith("Cells(name='E')")
    assert repr(Cells("E", 0.03, LARGE)) == "Cells(name='E', tau_mem=0.03, weights=float64 (300, 200))"
    assert "tau_mem0.02s" in read(Cells("E")._repr_html_())


@pytest.mark.parametrize("name", sorted(n for n, t in RECORDS.items() if n.endswith("Parameters")))
def test_parameters_of_neurons_and_synapses_are_a_table_with_their_units(name):
    record = RECORDS[name]
    if any(f.default is dataclasses.MISSING for f in dataclasses.fields(record)):
        assert "_repr_html_" in vars(record)
        return
    said = read(record()._repr_html_())
    assert said.startswith(name)
    assert all(f.name in said for f in dataclasses.fields(record))
