"""Published equations, written down once more, for adaptive solvers."""

import numpy as np


def hodgkin_huxley_equations(p, current):
    """Change of membrane and gates (m, h, n) under ``current(t, v)``, A."""

    def change(t, y):
        v, m, h, n = y
        u = (v - p.v_shift) * 1e3
        rates = (
            (0.32 * (13 - u) / (np.exp((13 - u) / 4) - 1), 0.28 * (u - 40) / (np.exp((u - 40) / 5) - 1)),
            (0.128 * np.exp((17 - u) / 18), 4 / (1 + np.exp((40 - u) / 5))),
            (0.032 * (15 - u) / (np.exp((15 - u) / 5) - 1), 0.5 * np.exp((10 - u) / 40)),
        )
        ionic = p.g_leak * (p.e_leak - v) + p.g_na * m**3 * h * (p.e_na - v) + p.g_k * n**4 * (p.e_k - v)
        gates = [1e3 * (a * (1 - x) - b * x) for (a, b), x in zip(rates, (m, h, n), strict=True)]
        return [(ionic + current(t, v)) / p.capacitance, *gates]

    return change


def gated_equations(rates, g_na, g_k, g_leak, e_na, e_k, e_leak, current):
    """Change (per ms) of a membrane (mV) and its gates under a current, uA/cm2; numbers per cm2 as papers have them."""

    def change(t, y):
        v, *gates = y
        found = rates(v)
        m = gates[0] if len(gates) == 3 else found["m"][0] / sum(found["m"])
        h, n = gates[-2:]
        ionic = g_leak * (e_leak - v) + g_na * m**3 * h * (e_na - v) + g_k * n**4 * (e_k - v)
        names = ("m", "h", "n")[-len(gates) :]
        return [ionic + current, *(found[k][0] * (1 - x) - found[k][1] * x for k, x in zip(names, gates, strict=True))]

    return change


def squid_rates(v):
    """Rates of Hodgkin and Huxley 1952 with rest at -65 mV, per ms."""
    return {
        "m": (0.1 * (v + 40) / (1 - np.exp(-(v + 40) / 10)), 4 * np.exp(-(v + 65) / 18)),
        "h": (0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))),
        "n": (0.01 * (v + 55) / (1 - np.exp(-(v + 55) / 10)), 0.125 * np.exp(-(v + 65) / 80)),
    }


def wang_buzsaki_rates(v):
    """Rates of Wang and Buzsaki 1996, those of h and n times 5, per ms."""
    return {
        "m": (-0.1 * (v + 35) / (np.exp(-0.1 * (v + 35)) - 1), 4 * np.exp(-(v + 60) / 18)),
        "h": (5 * 0.07 * np.exp(-(v + 58) / 20), 5 / (np.exp(-0.1 * (v + 28)) + 1)),
        "n": (5 * -0.01 * (v + 34) / (np.exp(-0.1 * (v + 34)) - 1), 5 * 0.125 * np.exp(-(v + 44) / 80)),
    }


def pinsky_rinzel_equations(current):
    """Change (per ms) of soma and dendrite (mV above rest), h, n, s, c, q and calcium; Pinsky and Rinzel 1994."""

    def change(t, y):
        vs, vd, h, n, s, c, q, ca = y
        am, bm = 0.32 * (13.1 - vs) / (np.exp((13.1 - vs) / 4) - 1), 0.28 * (vs - 40.1) / (np.exp((vs - 40.1) / 5) - 1)
        rising = np.exp((vd - 10) / 11 - (vd - 6.5) / 27) / 18.975
        falling = 2 * np.exp((6.5 - vd) / 27)
        gates = {
            "h": (0.128 * np.exp((17 - vs) / 18), 4 / (1 + np.exp((40 - vs) / 5)), h),
            "n": (0.016 * (35.1 - vs) / (np.exp((35.1 - vs) / 5) - 1), 0.25 * np.exp(0.5 - 0.025 * vs), n),
            "s": (1.6 / (1 + np.exp(-0.072 * (vd - 65))), 0.02 * (vd - 51.1) / (np.exp((vd - 51.1) / 5) - 1), s),
            "c": (rising, falling - rising, c) if vd <= 50 else (falling, 0.0, c),
            "q": (min(2e-5 * ca, 0.01), 0.001, q),
        }
        i_ca = 10 * s * s * (vd - 140)
        soma = -0.1 * vs - 30 * (am / (am + bm)) ** 2 * h * (vs - 120) - 15 * n * (vs + 15) + 2.1 / 0.5 * (vd - vs)
        dendrite = (
            -0.1 * vd - i_ca - 0.8 * q * (vd + 15) - 15 * c * min(ca / 250, 1) * (vd + 15) + 2.1 / 0.5 * (vs - vd)
        )
        moved = [a * (1 - x) - b * x for a, b, x in gates.values()]
        return [(soma + current / 0.5) / 3, dendrite / 3, *moved, -0.13 * i_ca - 0.075 * ca]

    return change
