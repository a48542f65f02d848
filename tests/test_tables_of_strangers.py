"""Tables of other libraries are taken by their names, and columns that are no units are told from those that are."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xarray as xr

from neurosim import as_rdm, as_responses, as_stimuli, as_trials, compute_rdm
from neurosim.recordings import align_spikes, bin_spikes
from neurosim.schema import InputError, SchemaError
from neurosim.similarity import noise_precision

IDS = [f"{k}" for k in range(6)]
VALUES = np.random.default_rng(0).random((6, 3))
TABLE = pd.DataFrame(VALUES, columns=["u", "v", "w"])


@pytest.mark.parametrize("names", [range(6), IDS])
@pytest.mark.parametrize("build", [as_responses, as_stimuli])
def test_a_table_of_arrow_is_the_one_of_pandas(build, names):
    table = TABLE.assign(stimulus=names).iloc[::-1]
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    xr.testing.assert_identical(build(arrow), build(table))
    if build is as_responses:
        np.testing.assert_array_equal(build(arrow, stimuli=IDS).values, VALUES)


class Unwilling:
    """A table of a library that lacks what it takes to become one of pandas."""

    columns = ("u",)

    def to_pandas(self):
        raise ModuleNotFoundError("pyarrow is required")


@pytest.mark.parametrize("build", [as_rdm, noise_precision, lambda x: as_trials(x, ["a", "b", "c"])])
def test_where_no_rows_are_named_a_table_of_arrow_is_refused_by_name(build):
    table = pa.Table.from_pandas(TABLE[:3])
    with pytest.raises(SchemaError, match=r"a table of pandas asked, found a pyarrow Table; give .to_pandas\(\)"):
        build(table)


def test_tables_that_are_not_converted_say_why():
    with pytest.raises(SchemaError, match=r"to_pandas\(\), which says: pyarrow is required; give a table of pandas"):
        as_responses(Unwilling())
    spikes = pd.DataFrame({"stimulus": ["a"], "unit": ["u"], "time": [0.1]})
    for refuse in (bin_spikes, lambda x: align_spikes(x, TABLE)):
        with pytest.raises(InputError, match=r"found a pyarrow Table; give its .to_pandas\(\)"):
            refuse(pa.Table.from_pandas(spikes))


@pytest.mark.parametrize(
    ("column", "cure"),
    [
        ("trial", r"ns.as_trials\(units, table\['stimulus'\], trials=table\['trial'\]\)"),
        ("time", "to_xarray"),
        ("unit", "table.pivot"),
        ("category", r"coords=\{'category'"),
        ("subject", "a table of its own"),
        ("good", "true or false and the others numbers"),
        ("Unnamed: 0", "index_col=0"),
        ("", "index_col=0"),
    ],
)
@pytest.mark.parametrize(
    "door", [as_responses, as_stimuli, compute_rdm, lambda t: as_trials(t.set_index("stimulus"), IDS)]
)
def test_columns_that_are_no_units_are_refused_with_the_cure(door, column, cure):
    said = [True, False] * 3 if column == "good" else [0, 0, 0, 1, 1, 1]
    with pytest.raises(SchemaError, match=cure):
        door(TABLE.assign(stimulus=IDS, **{column: said}))


def test_cures_of_columns_give_what_was_meant():
    written = TABLE.assign(stimulus=IDS).to_csv()
    with pytest.raises(SchemaError, match="index_col=0"):
        as_responses(pd.read_csv(io.StringIO(written)))
    read = pd.read_csv(io.StringIO(written), index_col=0, dtype={"stimulus": str})
    np.testing.assert_allclose(as_responses(read, stimuli=IDS).values, VALUES)
    table = TABLE.assign(stimulus=list("aabbcc"), trial=[0, 1] * 3)
    found = as_trials(table[["u", "v", "w"]], table["stimulus"], trials=table["trial"])
    np.testing.assert_array_equal(found.sel(stimulus="b", trial=1), VALUES[3])
    timed = table.rename(columns={"trial": "time"}).set_index(["stimulus", "time"])
    found = as_responses(timed.rename_axis(columns="unit").stack().to_xarray())
    np.testing.assert_array_equal(found.sel(stimulus="b", time=1), VALUES[3])
    long = TABLE.assign(stimulus=IDS).melt("stimulus", var_name="unit", value_name="rate")
    np.testing.assert_array_equal(
        as_responses(long.pivot(index="stimulus", columns="unit", values="rate"), stimuli=IDS).values, VALUES
    )


def test_a_table_of_true_and_false_alone_is_values():
    np.testing.assert_array_equal(as_responses(TABLE > 0.5).values, VALUES > 0.5)
