"""The Triton kernels of spiking layers: one forward and one backward, each neuron's state in registers for all steps.

A lane is one neuron of one stimulus. Programs take a row of lanes each or, of a layer that is connected all to all,
stimuli with all their neurons; what these send each other then is a product of matrices inside the same kernel. What a
step reads is asked for one step ahead. Places are 64-bit whole numbers.
"""

from __future__ import annotations

import triton
import triton.language as tl

TINY = tl.constexpr(2.0**-24)  # smallest number above 0 of float16


@triton.jit
def derivative(x, SLOPE: tl.constexpr, SURROGATE: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the gradient of a spike at distance `x` from threshold."""
    if SURROGATE == 0:
        scaled = x * (1.5707963267948966 * SLOPE)
        found = (SLOPE / 2) / (scaled * scaled + 1.0)
    elif SURROGATE == 1:
        width = tl.abs(x) * SLOPE + 1.0
        found = 1.0 / (width * width)
    elif SURROGATE == 2:
        step = 1.0 / (1.0 + tl.exp(-x * SLOPE))
        found = SLOPE * step * (1.0 - step)
    elif SURROGATE == 3:
        found = tl.maximum(1.0 - tl.abs(x * SLOPE), 0.0) * SLOPE
    else:
        found = x * 0.0 + SLOPE
    return found


@triton.jit
def number(given, unit, inside, EACH: tl.constexpr, WHICH: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return a coefficient: one number for all, or read for each unit."""
    found = given
    if (EACH >> WHICH) & 1:
        found = tl.load(given + unit, inside, other=0.0)
    return found


@triton.jit
def places(lanes, units, ROWS: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the lanes of this program, their units, and which of them exist."""
    program = tl.program_id(0).to(tl.int64)
    if ROWS:
        unit = tl.arange(0, BLOCK)[None, :]
        lane = (program * ROWS + tl.arange(0, ROWS))[:, None] * units + unit
        inside = (unit < units) & (lane < lanes)
        unit = unit + lane * 0
    else:
        lane = program * BLOCK + tl.arange(0, BLOCK)
        inside = lane < lanes
        unit = lane % units
    return lane, unit, inside


@triton.jit
def product(source, weight, lanes, units, like, ROWS: tl.constexpr, BLOCK: tl.constexpr, CHUNK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the rows of `source` that this program owns times `weight` (from, to)."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    to = tl.arange(0, BLOCK)
    found = tl.zeros((ROWS, BLOCK), like.dtype)
    for first in range(0, units, CHUNK):
        origin = first + tl.arange(0, CHUNK)
        place = row[:, None] * units + origin[None, :]
        sent = tl.load(source + place, (origin[None, :] < units) & (place < lanes), other=0.0)
        exists = (origin[:, None] < units) & (to[None, :] < units)
        strength = tl.load(weight + origin[:, None] * units + to[None, :], exists, other=0.0)
        found = tl.dot(sent.to(like.dtype), strength, found, input_precision="ieee", out_dtype=like.dtype)
    return found


@triton.jit
def advance(  # type: ignore[no-untyped-def]
    v, i, a, s, drive, b, theta, decay, fade, up,
    RESET: tl.constexpr, CURRENT: tl.constexpr, ADAPTS: tl.constexpr,
):  # fmt: skip
    """Advance neurons by one step, in the order of roundings of the other engines."""
    if CURRENT:
        i = i * decay + drive
        drive = i
    if RESET == 1:
        v = v * (1.0 - s)
    v = v * b + drive
    if RESET == 0:
        v = v - s * theta
    if RESET == 2:
        v = v - s * v
    if ADAPTS:
        a = a * fade + s
        d = v - (a * up + theta)
    else:
        d = v - theta
    return v, i, a, tl.where(d > 0, 1.0, 0.0).to(d.dtype), d


@triton.jit
def keep(  # type: ignore[no-untyped-def]
    place, inside, v, i, a, d, distance, membranes, currents, adaptations, KEEP: tl.constexpr, TRACES: tl.constexpr
):
    """Write what the backward pass reads of a step; a distance above 0 stays so in 16 bits."""
    if KEEP == 1:
        tl.store(distance + place, d, inside)
    if KEEP == 2:
        half = d.to(tl.float16)
        tl.store(distance + place, tl.where((d > 0) & (half == 0.0), TINY, half), inside)
    if TRACES & 1:
        tl.store(membranes + place, v, inside)
    if TRACES & 2:
        tl.store(currents + place, i, inside)
    if TRACES & 4:
        tl.store(adaptations + place, a, inside)


@triton.jit(do_not_specialize=["start", "steps"])
def forward(  # type: ignore[no-untyped-def]
    x, v0, i0, a0, s0, weight, spikes, distance, membranes, currents, adaptations, v1, i1, a1, s1,
    beta, threshold, alpha, rho, rise, start, steps, lanes, units, stride,
    RESET: tl.constexpr, CURRENT: tl.constexpr, ADAPTS: tl.constexpr, EACH: tl.constexpr, KEEP: tl.constexpr,
    TRACES: tl.constexpr, ROWS: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Advance all lanes by `steps` steps from step `start` on; arrays are (time, lane), steps of `x` `stride` apart."""
    lane, unit, inside = places(lanes, units, ROWS, BLOCK)
    b, theta = number(beta, unit, inside, EACH, 0), number(threshold, unit, inside, EACH, 1)
    decay = number(alpha, unit, inside, EACH, 2)
    fade, up = number(rho, unit, inside, EACH, 3), number(rise, unit, inside, EACH, 4)
    v, i = tl.load(v0 + lane, inside, other=0.0), tl.load(i0 + lane, inside, other=0.0)
    a, s = tl.load(a0 + lane, inside, other=0.0), tl.load(s0 + lane, inside, other=0.0)
    step = lane * 0 + lanes
    place, stop = lane + start * step, (step * 0 + start + steps) * lanes
    apart = lane * 0 + stride
    arrives = lane + start * apart
    ahead = tl.load(x + arrives, inside, other=0.0)
    begins = start.to(tl.int64) * lanes
    if ROWS:
        sent = product(s0, weight, lanes, units, v, ROWS, BLOCK, CHUNK)
    for _ in range(steps):
        drive = ahead.to(v.dtype)
        arrives += apart
        ahead = tl.load(x + arrives, inside & (place + step < stop), other=0.0)
        if ROWS:
            drive = drive + sent
        v, i, a, s, d = advance(v, i, a, s, drive, b, theta, decay, fade, up, RESET, CURRENT, ADAPTS)
        tl.store(spikes + place, s, inside)
        keep(place, inside, v, i, a, d, distance, membranes, currents, adaptations, KEEP, TRACES)
        if ROWS:
            tl.debug_barrier()  # spikes of this step are read by the whole program
            sent = product(spikes + begins, weight, lanes, units, v, ROWS, BLOCK, CHUNK)
        place += step
        begins += lanes
    tl.store(v1 + lane, v, inside)
    tl.store(i1 + lane, i, inside)
    tl.store(a1 + lane, a, inside)
    tl.store(s1 + lane, s, inside)


@triton.jit
def before(trace, first, place, lane, lanes, inside):  # type: ignore[no-untyped-def]
    """Return what was there before a step: of the trace, or of the first state."""
    earlier = tl.load(trace + (place - lanes), inside & (place >= lanes), other=0.0)
    begun = tl.load(first + lane, inside & (place < lanes), other=0.0)
    return tl.where(place < lanes, begun, earlier)


@triton.jit
def retreat(  # type: ignore[no-untyped-def]
    to_v, to_i, to_a, to_s, now, fired, up,
    RESET: tl.constexpr, CURRENT: tl.constexpr, ADAPTS: tl.constexpr,
):  # fmt: skip
    """Take gradients through the reset of a step; return those of what it kept, current, last spike, and drive."""
    if ADAPTS:
        to_s = to_a - now * up
    kept = to_v
    if RESET == 1 or RESET == 2:  # noqa: PLR1714 Triton compiles no sets
        kept = to_v * (1.0 - fired)
    drive = kept
    if RESET == 1:
        drive = to_v
    if CURRENT:
        to_i = to_i + drive
        drive = to_i
    return kept, to_i, to_s, drive


@triton.jit
def share(  # type: ignore[no-untyped-def]
    to_beta, to_threshold, to_alpha, to_rho, to_rise, to_v, kept, to_i, to_s, now, fired, v0, i0, a0,
    membranes, currents, adaptations, place, lane, lanes, inside, WANTED: tl.constexpr, RESET: tl.constexpr,
):  # fmt: skip
    """Return the gradients of coefficients with the share of one step, of those that are wanted."""
    if WANTED & 1:
        to_beta += kept * before(membranes, v0, place, lane, lanes, inside)
    if WANTED & 2:
        to_threshold -= now
        if RESET == 0:
            to_threshold -= to_v * fired
    if WANTED & 4:
        to_alpha += to_i * before(currents, i0, place, lane, lanes, inside)
    if WANTED & 8:
        to_rho += to_s * before(adaptations, a0, place, lane, lanes, inside)
    if WANTED & 16:
        to_rise -= now * tl.load(adaptations + place, inside, other=0.0)
    return to_beta, to_threshold, to_alpha, to_rho, to_rise


@triton.jit
def add(sums, lane, lanes, inside, more, WHICH: tl.constexpr, WANTED: tl.constexpr):  # type: ignore[no-untyped-def]
    """Add to the gradient of one coefficient, (5, lane), if it is wanted."""
    if (WANTED >> WHICH) & 1:
        place = sums + (lane + WHICH * lanes)
        tl.store(place, tl.load(place, inside, other=0.0) + more, inside)


@triton.jit(do_not_specialize=["start", "steps"])
def backward(  # type: ignore[no-untyped-def]
    grad, to_membranes, distance, v0, i0, a0, s0, membranes, currents, adaptations, weight, adjoint, found, sums,
    beta, alpha, rho, rise, start, steps, lanes, units, stride,
    RESET: tl.constexpr, CURRENT: tl.constexpr, ADAPTS: tl.constexpr, EACH: tl.constexpr, SLOPE: tl.constexpr,
    SURROGATE: tl.constexpr, WATCHED: tl.constexpr, ARRIVES: tl.constexpr, WANTED: tl.constexpr, ROWS: tl.constexpr,
    CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Take gradients back through `steps` steps from step `start` + `steps` - 1 on; what arrives is `stride` apart.

    `adjoint` (4, lane) holds those of membrane, current, adaptation and last spikes, before and afterwards, and `sums`
    (5, lane) those of the coefficients.
    """
    lane, unit, inside = places(lanes, units, ROWS, BLOCK)
    b, decay = number(beta, unit, inside, EACH, 0), number(alpha, unit, inside, EACH, 2)
    fade, up = number(rho, unit, inside, EACH, 3), number(rise, unit, inside, EACH, 4)
    step = lane * 0 + lanes
    to_v, to_i = tl.load(adjoint + lane, inside, other=0.0), tl.load(adjoint + (lane + step), inside, other=0.0)
    adapting, spiking = adjoint + (lane + 2 * step), adjoint + (lane + 3 * step)
    to_a, to_s = tl.load(adapting, inside, other=0.0), tl.load(spiking, inside, other=0.0)
    nothing, bottom, begins = to_v * 0.0, start * step, (start + steps - 1).to(tl.int64) * lanes
    to_beta, to_threshold, to_alpha, to_rho, to_rise = nothing, nothing, nothing, nothing, nothing
    place, arrives = lane + (start + steps - 1) * step, lane + (lane * 0 + start + steps - 1) * stride
    far, arriving = tl.load(distance + place, inside, other=0.0), tl.load(grad + arrives, inside, other=0.0)
    if ROWS:
        sent = tl.zeros((ROWS, BLOCK), to_v.dtype)
    for _ in range(steps):
        earlier = tl.load(distance + (place - step), inside & (place >= step), other=0.0)
        to_spike, arrives = arriving.to(to_v.dtype), arrives - stride
        arriving = tl.load(grad + arrives, inside & (place - step >= bottom), other=0.0)
        if ROWS:
            to_spike = to_spike + sent
        if ADAPTS or ARRIVES:
            to_spike = to_spike + to_s
        now = derivative(far.to(to_v.dtype), SLOPE, SURROGATE) * to_spike
        begun = tl.load(s0 + lane, inside & (place < step), other=0.0)
        fired = tl.where(place < step, begun, tl.where(earlier > 0, 1.0, 0.0).to(begun.dtype))
        to_v = to_v + now
        if WATCHED:
            to_v = to_v + tl.load(to_membranes + place, inside, other=0.0)
        kept, to_i, to_s, drive = retreat(to_v, to_i, to_a, to_s, now, fired, up, RESET, CURRENT, ADAPTS)
        tl.store(found + place, drive, inside)
        to_beta, to_threshold, to_alpha, to_rho, to_rise = share(
            to_beta, to_threshold, to_alpha, to_rho, to_rise, to_v, kept, to_i, to_s, now, fired, v0, i0, a0,
            membranes, currents, adaptations, place, lane, step, inside, WANTED, RESET,
        )  # fmt: skip
        to_v = kept * b
        if CURRENT:
            to_i = to_i * decay
        if ADAPTS:
            to_a = to_s * fade
        else:
            to_s = nothing
        if ROWS:
            tl.debug_barrier()  # gradients of this step are read by the whole program
            sent = product(found + begins, weight, lanes, units, to_v, ROWS, BLOCK, CHUNK)
        far, place, begins = earlier, place - step, begins - lanes
    tl.store(adjoint + lane, to_v, inside)
    tl.store(adjoint + (lane + step), to_i, inside)
    tl.store(adapting, to_a, inside)
    tl.store(spiking, to_s, inside)
    add(sums, lane, step, inside, to_beta, 0, WANTED)
    add(sums, lane, step, inside, to_threshold, 1, WANTED)
    add(sums, lane, step, inside, to_alpha, 2, WANTED)
    add(sums, lane, step, inside, to_rho, 3, WANTED)
    add(sums, lane, step, inside, to_rise, 4, WANTED)
