"""NIR graphs drawn at random, and what they send: the equations of the NIR paper, node by node, in plain numpy.

https://doi.org/10.1038/s41467-024-52259-9, table 1; forward Euler, or the closed form for input held still in a step.
"""

from __future__ import annotations

from itertools import product

import nir
import numpy as np

DT = 1e-3
NEURONS = (nir.LIF, nir.IF, nir.CubaLIF)


class Interpreter:
    """Follows every node backwards, one value at a time; `order` is that in which neurons advance in a step."""

    def __init__(self, nodes, edges, order, spikes, exact=False, dt=DT):
        self.nodes, self.order, self.spikes, self.exact, self.dt = nodes, order, spikes, exact, dt
        self.before = {label: [a for a, b in edges if b == label] for label in nodes}
        self.sent = {label: [] for label in order}
        self.state = {}

    def run(self):
        """Return the spikes (time, unit) of every neuron node."""
        for t in range(len(self.spikes)):
            for label in self.order:
                self.sent[label].append(self.advance(label, self.arriving(label, t)))
        return {label: np.array([z.ravel() for z in sent]) for label, sent in self.sent.items()}

    def arriving(self, label, t):
        values = [self.value(start, t) for start in self.before[label]]
        shape = max((v.shape for v in values), key=len)
        return sum(v.reshape(shape) for v in values)

    def value(self, label, t):
        """Return what a node sends in step `t`; neurons that have not advanced yet, what they sent one step before."""
        node = self.nodes[label]
        if isinstance(node, nir.Input):
            return self.spikes[t] if t >= 0 else np.zeros_like(self.spikes[0])
        if label in self.sent:
            at = t if t < len(self.sent[label]) else t - 1
            return self.sent[label][at] if at >= 0 else np.zeros(self.shape_of(label))
        if isinstance(node, nir.Delay):
            return self.arriving(label, t - round(float(np.ravel(node.delay)[0]) / self.dt))
        return linear(node, self.arriving(label, t))

    def shape_of(self, label):
        return self.nodes[label].metadata["shape"]

    def advance(self, label, x):
        node, shape = self.nodes[label], x.shape

        def each(key):
            value = np.asarray(getattr(node, key), dtype=float)
            if value.ndim == 1 and len(shape) == 3 and len(value) == shape[0]:
                return value[:, None, None]
            return value.reshape(shape) if value.size == np.prod(shape) else value

        def share(key):
            return 1 - np.exp(-self.dt / each(key)) if self.exact else self.dt / each(key)

        v, i = self.state.get(label, (np.zeros(shape), np.zeros(shape)))
        if isinstance(node, nir.IF):
            v = v + each("r") * x
        elif isinstance(node, nir.LIF | nir.LI):
            v = v + share("tau") * (each("v_leak") - v + each("r") * x)
        else:
            i = i + share("tau_syn") * (-i + each("w_in") * x)
            v = v + share("tau_mem") * (each("v_leak") - v + each("r") * i)
        if isinstance(node, nir.LI):  # sends its membrane
            self.state[label] = v, i
            return v
        z = v > each("v_threshold")
        self.state[label] = np.where(z, np.broadcast_to(each("v_reset"), shape), v), i
        return z * 1.0


def linear(node, x):
    if isinstance(node, nir.Affine):
        return node.weight @ x.ravel() + node.bias
    if isinstance(node, nir.Linear):
        return node.weight @ x.ravel()
    if isinstance(node, nir.Scale):
        scale = node.scale
        return x * (scale[:, None, None] if scale.ndim == 1 and x.ndim == 3 and scale.size > 1 else scale)
    if isinstance(node, nir.Flatten):
        return x.ravel()
    if isinstance(node, nir.Conv2d):
        return _convolved(x, node.weight, node.bias, node.stride, node.padding, node.groups)
    kernel = _two(node.kernel_size)
    share = 1.0 if isinstance(node, nir.SumPool2d) else 1 / np.prod(kernel)
    weight = np.full((len(x), 1, *kernel), share)
    return _convolved(x, weight, np.zeros(len(x)), node.stride, node.padding, len(x))


def _two(value):
    return tuple(int(v) for v in np.broadcast_to(value, (2,)))


def _convolved(x, weight, bias, stride, padding, groups):
    """Return a cross-correlation, one output at a time."""
    n_out, n_in, *kernel = weight.shape
    stride, padding = _two(stride), _two(padding)
    padded = np.pad(x, ((0, 0), *((p, p) for p in padding)))
    sides = [(n - k) // s + 1 for n, k, s in zip(padded.shape[1:], kernel, stride, strict=True)]
    found = np.zeros((n_out, *sides))
    for c, i, j in product(range(n_out), *map(range, sides)):
        group = c // (n_out // groups)
        y, z = i * stride[0], j * stride[1]
        patch = padded[group * n_in : (group + 1) * n_in, y : y + kernel[0], z : z + kernel[1]]
        found[c, i, j] = (weight[c] * patch).sum() + bias[c]
    return found


class Drawing:
    """Draws a graph: every node takes what earlier ones send, and feedback goes back to where it cannot be mistaken."""

    def __init__(self, seed, *, plain=False, for_files=False):
        self.rng = np.random.default_rng(seed)
        self.plain, self.for_files = plain, for_files
        size = (2, 4, 4) if self.rng.random() < 0.4 else (int(self.rng.integers(3, 6)),)
        self.nodes = {"in": nir.Input({"input": np.array(size)})}
        self.edges = []
        self.shapes = {"in": size}
        self.order = []
        self.constant = set()

    def add(self, node, sources, shape):
        label = f"{type(node).__name__.lower()}{len(self.nodes)}"
        self.nodes[label] = node
        self.edges += [(s, label) for s in sources]
        self.shapes[label] = shape
        has_bias = bool(np.any(getattr(node, "bias", 0)))
        if has_bias or (not isinstance(node, NEURONS) and self.constant & set(sources)):
            self.constant.add(label)
        return label

    def affine(self, source, n):
        weight = self.rng.normal(size=(n, int(np.prod(self.shapes[source])))) * 0.8
        if self.rng.random() < 0.5:
            return self.add(nir.Linear(weight), [source], (n,))
        return self.add(nir.Affine(weight, self.rng.normal(size=n) * 0.3), [source], (n,))

    def transform(self, source):
        """Add one node that knows no time."""
        shape, kind = self.shapes[source], self.rng.random()
        if len(shape) == 1:
            if kind < 0.6:
                return self.affine(source, int(self.rng.integers(2, 6)))
            return self.add(nir.Scale(self.rng.uniform(0.5, 1.5, shape)), [source], shape)
        if kind < 0.5:
            return self.convolution(source)
        if kind < 0.65 and min(shape[1:]) >= 2:
            pool = nir.SumPool2d if self.rng.random() < 0.5 else nir.AvgPool2d
            sides = tuple(n // 2 for n in shape[1:])
            return self.add(pool(*(np.array([k, k]) for k in (2, 2, 0))), [source], (shape[0], *sides))
        if kind < 0.8:
            return self.add(nir.Scale(self.rng.uniform(0.5, 1.5, (shape[0], 1, 1))), [source], shape)
        return self.add(nir.Flatten({"input": np.array(shape)}, 0, -1), [source], (int(np.prod(shape)),))

    def convolution(self, source):
        c, y, x = self.shapes[source]
        groups = c if self.rng.random() < 0.3 else 1
        n, pad = c * int(self.rng.integers(1, 3)), int(self.rng.integers(0, 2)) if min(y, x) >= 3 else 1
        weight = self.rng.normal(size=(n, c // groups, 3, 3)) * 0.5
        bias = self.rng.normal(size=n) * 0.3 * (self.rng.random() < 0.5)
        node = nir.Conv2d((y, x), weight, (1, 1), (pad, pad), (1, 1), groups, bias)
        return self.add(node, [source], (n, y + 2 * pad - 2, x + 2 * pad - 2))

    def neurons(self, sources):
        shape = max((self.shapes[s] for s in sources), key=len)
        kind = NEURONS[self.rng.integers(3)]
        one = np.ones(1)
        keys = {"r": (1.0, 3.0), "v_threshold": (0.3, 0.7), "v_leak": (-0.2, 0.3), "v_reset": (-0.3, 0.2)}
        keys |= {"tau": (2e-3, 6e-3), "tau_mem": (2e-3, 6e-3), "tau_syn": (2e-3, 4e-3), "w_in": (1.0, 3.0)}
        names = {
            nir.LIF: ("tau", "r", "v_leak", "v_threshold", "v_reset"),
            nir.IF: ("r", "v_threshold", "v_reset"),
            nir.CubaLIF: ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"),
        }[kind]
        node = kind(**dict.fromkeys(names, one), metadata={"shape": shape})
        sizes = [(1,), shape] + [(shape[0],), (shape[0], 1, 1)] * (len(shape) == 3)
        alike = sizes[self.rng.integers(len(sizes))]
        for key in names:
            one_size = alike if self.for_files else sizes[self.rng.integers(len(sizes))]
            value = self.rng.uniform(*keys[key], one_size)
            setattr(node, key, value * (not (self.plain and key in ("v_leak", "v_reset"))))
        label = self.add(node, sources, shape)
        self.order.append(label)
        return label

    def graph(self):
        """Return the graph with nodes and edges in random order; what leads nowhere is left out."""
        nodes = self.nodes | {"out": nir.Output({"output": np.array(self.shapes[self.order[-1]])})}
        edges = [*self.edges, (self.order[-1], "out")]
        while True:
            heard = {a for a, _ in edges} | {"out", *self.order}
            if heard >= set(nodes):
                break
            nodes = {k: v for k, v in nodes.items() if k in heard}
            edges = [(a, b) for a, b in edges if a in heard and b in heard]
        shuffled = {k: nodes[k] for k in self.rng.permutation(list(nodes)).tolist()}
        mixed = [edges[k] for k in self.rng.permutation(len(edges))]
        return nir.NIRGraph(shuffled, mixed, type_check=False)

    def spikes(self, n_steps):
        """Return input spikes (time, ...)."""
        return (self.rng.random((n_steps, *self.shapes["in"])) < 0.5) * 1.0


def draw_branching(seed, **options):
    """Return a drawing that branches, merges, delays and feeds back, and what of it has to be refused, if anything.

    Loops are either opened by delays, or all go at once to the first neurons, which alone get the input.
    """
    drawing = Drawing(seed, **options)
    rng, refused = drawing.rng, None
    loops_at_once = rng.random() < 0.4
    for stage in range(int(rng.integers(2, 5))):
        pool = (
            list(drawing.shapes)
            if not loops_at_once or stage == 0
            else [s for s in drawing.shapes if _late(drawing, s)]
        )
        starts = [pool[-1], *(pool[k] for k in rng.integers(len(pool), size=int(rng.integers(0, 3))))]
        ends = []
        for start in dict.fromkeys(starts):
            end = drawing.transform(start)
            while rng.random() < 0.4:
                end = drawing.transform(end)
            if rng.random() < 0.35 and not loops_at_once:
                end, reason = _delayed(drawing, end)
                refused = f"{refused}|{reason}" if refused and reason else refused or reason
            ends.append(end)
        first = drawing.shapes[ends[0]]
        fitting = [e if drawing.shapes[e] == first else drawing.affine(e, int(np.prod(first))) for e in ends]
        if rng.random() < 0.3:
            merged = drawing.add(nir.Scale(rng.uniform(0.8, 1.2, first)), fitting, first)
            fitting = [merged, *fitting[1:]] if rng.random() < 0.5 else [merged]
        drawing.neurons(fitting)
    _feed_back(drawing, loops_at_once)
    return drawing, refused


def _late(drawing, label):
    """Whether a signal comes from neurons only, not from the input beside them."""
    if label in drawing.order:
        return True
    before = [a for a, b in drawing.edges if b == label]
    return bool(before) and all(_late(drawing, a) for a in before)


def _delayed(drawing, source):
    rng, shape = drawing.rng, drawing.shapes[source]
    steps, reason = float(rng.integers(1, 4)), None
    if source in drawing.constant:
        if rng.random() < 0.8:
            return source, None
        reason = "a bias passes the delay"
    elif rng.random() < 0.08:
        steps, reason = steps + 0.49, "whole steps"
    return drawing.add(nir.Delay(np.full(shape, steps * DT)), [source], shape), reason


def _feed_back(drawing, at_once):
    """Add loops: to the first neurons, the only ones that the input reaches, or anywhere after a delay."""
    rng = drawing.rng
    for source in drawing.order:
        if rng.random() > 0.5:
            continue
        k = drawing.order.index(source)
        target = drawing.order[0 if at_once else int(rng.integers(k + 1))]
        shape = drawing.shapes[target]
        n = int(np.prod(shape))
        weight = rng.normal(size=(n, int(np.prod(drawing.shapes[source])))) * 0.3
        back = drawing.add(nir.Linear(weight), [source], (n,))
        if source != target and not at_once:
            back = drawing.add(nir.Delay(np.full(n, int(rng.integers(1, 4)) * DT)), [back], (n,))
        drawing.edges.append((back, target))
