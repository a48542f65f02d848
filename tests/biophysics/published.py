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
