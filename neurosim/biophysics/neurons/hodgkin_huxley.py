"""The Hodgkin-Huxley neuron with the kinetics of Traub and Miles, as in the benchmarks of Brette et al. (2007).

``C dv/dt = g_leak (e_leak - v) + g_na m^3 h (e_na - v) + g_k n^4 (e_k - v) + I``
(https://doi.org/10.1007/s10827-007-0038-6). Gates and membrane move in turn, each by the exponential Euler method.
"""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Functions, Quantity
from neurosim.biophysics.gates import check_channels, gated_neuron
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class HodgkinHuxleyParameters:
    """Hodgkin-Huxley neuron with the kinetics of Traub and Miles (https://doi.org/10.1007/s10827-007-0038-6).

    ``C dv/dt = g_leak (e_leak - v) + g_na m^3 h (e_na - v) + g_k n^4 (e_k - v) + I``; the gates m, h and n move with
    rates that depend on ``v - v_shift``. A spike is an upward crossing of `v_spike`.

    Parameters
    ----------
    capacitance : F. g_leak, g_na, g_k : S. e_leak, e_na, e_k, v_shift, v_spike : V.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.HodgkinHuxleyParameters(g_k=5e-6).e_k
    -0.09
    """

    capacitance: float = 200e-12
    g_leak: float = 10e-9
    g_na: float = 20e-6
    g_k: float = 6e-6
    e_leak: float = -65e-3
    e_na: float = 50e-3
    e_k: float = -90e-3
    v_shift: float = -63e-3
    v_spike: float = -20e-3

    def __post_init__(self) -> None:
        check_channels(self)


def rates(u: Quantity, m: Functions) -> dict[str, tuple[Quantity, Quantity]]:
    """Return opening and closing rates (per ms) of the gates, at `u` mV above ``v_shift``."""
    return {
        "m": (1.28 / m.exprel((13.0 - u) / 4.0), 1.4 / m.exprel((u - 40.0) / 5.0)),
        "h": (0.128 * m.exp((17.0 - u) / 18.0), 4.0 / (1.0 + m.exp((40.0 - u) / 5.0))),
        "n": (0.16 / m.exprel((15.0 - u) / 5.0), 0.5 * m.exp((10.0 - u) / 40.0)),
    }


MODEL = gated_neuron(
    "hodgkin_huxley",
    HodgkinHuxleyParameters,
    rates,
    ("m", "h", "n"),
    caption="Hodgkin-Huxley neurons",
    reference="Brette R, Rudolph M, Carnevale T, et al. (2007) J Comput Neurosci 23:349-398, https://doi.org/10.1007/s10827-007-0038-6",
    example=({}, 4e-10),
)
