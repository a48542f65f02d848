"""The squid giant axon of Hodgkin and Huxley at 6.3 degrees (https://doi.org/10.1113/jphysiol.1952.sp004764).

``C dv/dt = g_leak (e_leak - v) + g_na m^3 h (e_na - v) + g_k n^4 (e_k - v) + I``, with the resting membrane at -65 mV.
"""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Functions, Quantity
from neurosim.biophysics.gates import check_channels, gated_neuron
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class SquidAxonParameters:
    """Squid giant axon of Hodgkin and Huxley at 6.3 degrees (https://doi.org/10.1113/jphysiol.1952.sp004764).

    ``C dv/dt = g_leak (e_leak - v) + g_na m^3 h (e_na - v) + g_k n^4 (e_k - v) + I``; the gates move with rates that
    depend on ``v - v_shift``, where `v_shift` is the resting membrane. By default a membrane of 1e-4 cm2: 1 uA/cm2 of
    the paper is 1e-10 A. A spike is an upward crossing of `v_spike`.

    Parameters
    ----------
    capacitance : F. g_leak, g_na, g_k : S. e_leak, e_na, e_k, v_shift, v_spike : V.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.SquidAxonParameters().e_k
    -0.077
    """

    capacitance: float = 100e-12
    g_leak: float = 30e-9
    g_na: float = 12e-6
    g_k: float = 3.6e-6
    e_leak: float = -54.387e-3
    e_na: float = 50e-3
    e_k: float = -77e-3
    v_shift: float = -65e-3
    v_spike: float = 0.0

    def __post_init__(self) -> None:
        check_channels(self)


def rates(u: Quantity, m: Functions) -> dict[str, tuple[Quantity, Quantity]]:
    """Return opening and closing rates (per ms) of the gates, at `u` mV above ``v_shift``."""
    return {
        "m": (1.0 / m.exprel((25.0 - u) / 10.0), 4.0 * m.exp(-u / 18.0)),
        "h": (0.07 * m.exp(-u / 20.0), 1.0 / (1.0 + m.exp((30.0 - u) / 10.0))),
        "n": (0.1 / m.exprel((10.0 - u) / 10.0), 0.125 * m.exp(-u / 80.0)),
    }


MODEL = gated_neuron(
    "squid_axon",
    SquidAxonParameters,
    rates,
    ("m", "h", "n"),
    caption="squid axons of Hodgkin and Huxley",
    reference="Hodgkin AL, Huxley AF (1952) J Physiol 117:500-544, https://doi.org/10.1113/jphysiol.1952.sp004764",
    example=({}, 1e-9),
)
