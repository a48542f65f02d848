"""An analysis of variance of groups of unequal size and noise, in plain loops."""

import statistics

from scipy import stats


def p_of_unequal_noise(groups):
    """The test of Brown and Forsythe, variances pooled over groups of one size, in plain loops."""
    total, every = sum(map(len, groups)), [x for g in groups for x in g]
    sizes = sorted({len(g) for g in groups})
    own = {n: [g for g in groups if len(g) == n] for n in sizes}
    pooled = {n: statistics.mean(map(statistics.variance, own[n])) for n in sizes}
    df = {n: len(own[n]) * (n - 1) for n in sizes}
    fourth = {n: pooled[n] ** 2 * df[n] / (df[n] + 2) for n in sizes}
    share = {n: len(own[n]) * (1 - n / total) for n in sizes}
    weight = {n: len(own[n]) * n for n in sizes}

    def squared(a):
        return sum(a[n] * pooled[n] for n in sizes) ** 2 - 2 * sum(a[n] ** 2 * fourth[n] / df[n] for n in sizes)

    between = sum(len(g) * (statistics.mean(g) - statistics.mean(every)) ** 2 for g in groups)
    means = sum(len(own[n]) * fourth[n] * (1 - 2 * n / total) for n in sizes) + squared(weight) / total**2
    noise = sum(share[n] ** 2 * fourth[n] / df[n] for n in sizes)
    f = between / sum(share[n] * pooled[n] for n in sizes)
    return float(stats.f.sf(f, min(max(squared(share) / means, 1), len(groups) - 1), squared(share) / noise))
