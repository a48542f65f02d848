"""The fast-spiking interneuron of Wang and Buzsaki (https://doi.org/10.1523/JNEUROSCI.16-20-06402.1996).

``C dv/dt = g_leak (e_leak - v) + g_na m^3 h (e_na - v) + g_k n^4 (e_k - v) + I``, where m is always in balance.
"""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Functions, Quantity
from neurosim.biophysics.gates import check_channels, gated_neuron
from neurosim.showing import tabled

FASTER = 5.0  # the factor phi of the rates of h and n


@tabled
@dataclass(frozen=True)
class WangBuzsakiParameters:
    """Fast-spiking interneuron of Wang and Buzsaki (https://doi.org/10.1523/JNEUROSCI.16-20-06402.1996).

    ``C dv/dt = g_leak (e_leak - v) + g_na m^3 h (e_na - v) + g_k n^4 (e_k - v) + I``; the gates h and n move with rates
    that depend on ``v - v_shift``, m is always in balance. By default a membrane of 1e-4 cm2: 1 uA/cm2 of the paper is
    1e-10 A. A spike is an upward crossing of `v_spike`.

    Parameters
    ----------
    capacitance : F. g_leak, g_na, g_k : S. e_leak, e_na, e_k, v_shift, v_spike : V.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.WangBuzsakiParameters(g_k=1e-6).e_na
    0.055
    """

    capacitance: float = 100e-12
    g_leak: float = 10e-9
    g_na: float = 3.5e-6
    g_k: float = 0.9e-6
    e_leak: float = -65e-3
    e_na: float = 55e-3
    e_k: float = -90e-3
    v_shift: float = 0.0
    v_spike: float = 0.0

    def __post_init__(self) -> None:
        check_channels(self)


def rates(u: Quantity, m: Functions) -> dict[str, tuple[Quantity, Quantity]]:
    """Return opening and closing rates (per ms) of the gates, at `u` mV above ``v_shift``."""
    return {
        "m": (1.0 / m.exprel((-35.0 - u) / 10.0), 4.0 * m.exp((-60.0 - u) / 18.0)),
        "h": (FASTER * 0.07 * m.exp((-58.0 - u) / 20.0), FASTER / (1.0 + m.exp((-28.0 - u) / 10.0))),
        "n": (FASTER * 0.1 / m.exprel((-34.0 - u) / 10.0), FASTER * 0.125 * m.exp((-44.0 - u) / 80.0)),
    }


MODEL = gated_neuron(
    "wang_buzsaki",
    WangBuzsakiParameters,
    rates,
    ("h", "n"),
    caption="fast-spiking neurons of Wang and Buzsaki",
    reference="Wang X-J, Buzsaki G (1996) J Neurosci 16:6402-6413, https://doi.org/10.1523/JNEUROSCI.16-20-06402.1996",
    example=({}, 2e-10),
)
