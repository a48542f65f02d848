"""Parameters are validated at the door, in SI units."""

import pytest

from neurosim.biophysics import AdExParameters, ConductanceParameters, HodgkinHuxleyParameters, LIFParameters
from neurosim.parameters import DiscreteLIFParameters, DiscreteSynapticParameters, from_metadata, parameters_of
from neurosim.schema import InputError


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DiscreteLIFParameters(tau_mem=20), "20 ms is 20e-3"),
        (lambda: DiscreteLIFParameters(tau_mem=-1e-3), "tau_mem"),
        (lambda: DiscreteLIFParameters(tau_mem=float("nan")), "tau_mem"),
        (lambda: DiscreteLIFParameters(reset="half"), "subtract, zero"),
        (lambda: LIFParameters(v_threshold=-80e-3), "not above the reset"),
        (lambda: LIFParameters(e_leak=-70), "e_leak"),
        (lambda: AdExParameters(v_cut=-75e-3), "not above the reset"),
        (lambda: LIFParameters(capacitance=100), "capacitance"),
        (lambda: LIFParameters(reset="subtracts"), "Did you mean 'subtract'"),
        (lambda: DiscreteSynapticParameters(reset="interpolated"), "DiscreteLIFParameters only"),
        (lambda: DiscreteLIFParameters(reset="immediate", v_reset=2.0), "fire without end"),
        (lambda: DiscreteLIFParameters(v_reset=0.2), "read by the resets immediate and interpolated, found 'subtract'"),
        (lambda: ConductanceParameters(e_exc=-0.1), "positive weights would inhibit"),
        (lambda: HodgkinHuxleyParameters(g_na=120.0), "g_na"),
        (lambda: parameters_of("discrete_lift", {}), "Did you mean 'discrete_lif'"),
        (lambda: parameters_of("discrete_lif", {"tau": 1.0}), "no parameter 'tau'"),
        (lambda: from_metadata({"neurosim": "no json"}), "not JSON"),
        (lambda: from_metadata({"neurosim": "[1]"}), "not a table"),
    ],
)
def test_out_of_range_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_parameters_are_frozen():
    with pytest.raises(AttributeError):
        DiscreteLIFParameters().tau_mem = 1.0
