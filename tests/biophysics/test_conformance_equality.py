"""Every public record is equal to one that holds the same, differs from one that does not, and can be a key.

Records are those that the examples of their own documentation make, and those of every registry: what is added tomorrow
is tested.
"""

import copy
from dataclasses import fields

import numpy as np
import pytest
import scipy.sparse
import xarray as xr

import neurosim as ns
from neurosim.biophysics import (
    Circuit,
    Input,
    LIFParameters,
    Poisson,
    Population,
    Projection,
    load_circuit,
    save_circuit,
)
from tests.biophysics.records import RECORDS, made_by_its_example


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_equal_to_its_copy_and_to_nothing_else(name, monkeypatch):
    records = made_by_its_example(RECORDS[name], monkeypatch)
    assert records or name in RESULTS
    for record in records[:3]:
        other = copy.deepcopy(record)
        assert record == other and hash(record) == hash(other) and {record: 1}[other] == 1
        assert record != 1 and record not in ("", None)
        for field in fields(record):
            value = getattr(record, field.name)
            if isinstance(value, float | np.ndarray) and np.asarray(value).dtype.kind in "iuf" and np.size(value):
                changed = copy.deepcopy(record)
                object.__setattr__(changed, field.name, value + 1.0)
                assert np.isinf(value).all() or changed != record, field.name


RESULTS = {"Learned", "Recorded", "Biological"}  # what functions return; below


def circuit(weights=((1e-3, 0.0),), **more):
    cells = Population("cells", 2, LIFParameters(), varying={"g_leak": [1e-8, 2e-8]}, **more)
    return Circuit("c", Input(1), (cells,), (Projection("input", "cells", weights),), dt=1e-4, step=1e-3)


def test_circuits_are_equal_by_what_they_are():
    same = circuit(np.array([[1e-3, 0.0]]), drive=[0, 0])
    assert circuit() == same and len({circuit(), same}) == 1
    others = [
        circuit([[1e-3, 1e-3]]),
        circuit(drive=1e-12),
        circuit(initial={"v": -60e-3}),
        circuit(scipy.sparse.csr_array([[1e-3, 0.0]])),
    ]
    assert len({circuit(), *others}) == 5


def test_sparse_weights_are_compared_by_what_is_stored_in_whatever_order():
    stored = scipy.sparse.csr_array((np.array([2.0, 1.0]), np.array([1, 0]), np.array([0, 2])), shape=(1, 2))
    a, b = (Projection("a", "b", w) for w in (stored, scipy.sparse.csr_array(np.array([[1.0, 2.0]]))))
    assert a == b and hash(a) == hash(b)


def test_what_was_learned_and_recorded_is_compared_with_its_labels():
    answers = ns.as_responses(np.arange(4.0).reshape(2, 2))
    a, b = (ns.biophysics.Recorded(x, {"v": x}) for x in (answers, answers.copy()))
    assert a == b and hash(a) == hash(b)
    renamed = answers.assign_coords(unit=["x", "y"])
    assert a != ns.biophysics.Recorded(renamed, {"v": answers}) and a != ns.biophysics.Recorded(None, {})
    learned = [ns.biophysics.Learned(circuit(), x, {"w": x}) for x in (answers, answers.copy(), renamed)]
    assert learned[0] == learned[1] != learned[2] and len(set(learned)) == 2
    report = xr.Dataset({"accuracy": ("stage", [0.8, 0.9])})
    made = [ns.biophysics.Biological(circuit(), circuit(), "climbed", report * k, None) for k in (1, 1, 2)]
    assert made[0] == made[1] != made[2] and len(set(made)) == 2


def test_a_circuit_is_equal_to_what_its_file_holds(tmp_path):
    cells = circuit(scipy.sparse.csr_array([[1e-3, 0.0]]), initial={"v": -60e-3}, background=Poisson(5.0, 1e-3))
    save_circuit(tmp_path / "c.nc", cells)
    assert load_circuit(tmp_path / "c.nc") == cells
