"""Parameters are validated at the door, in SI units."""

import pytest

from neurosim.parameters import AdExParameters, ConductanceLIFParameters, DiscreteLIFParameters
from neurosim.schema import InputError


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DiscreteLIFParameters(tau_mem=20), "20 ms is 20e-3"),
        (lambda: DiscreteLIFParameters(tau_mem=-1e-3), "tau_mem"),
        (lambda: DiscreteLIFParameters(tau_mem=float("nan")), "tau_mem"),
        (lambda: DiscreteLIFParameters(reset="half"), "subtract, zero"),
        (lambda: ConductanceLIFParameters(v_threshold=-80e-3), "not above the reset"),
        (lambda: ConductanceLIFParameters(e_leak=-70), "e_leak"),
        (lambda: AdExParameters(v_cut=-75e-3), "not above the reset"),
    ],
)
def test_out_of_range_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_parameters_are_frozen():
    with pytest.raises(AttributeError):
        DiscreteLIFParameters().tau_mem = 1.0
