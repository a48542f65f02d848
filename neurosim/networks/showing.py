"""Showing stimuli to a network batch by batch, in the dtype that it takes, and collecting what its layers answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.axes import Reading
from neurosim.networks.flags import check_module
from neurosim.networks.naming import Tap
from neurosim.networks.samples import native
from neurosim.networks.steadiness import steady_answers
from neurosim.networks.stepwise import reset_neurons
from neurosim.networks.taps import Answer, answers, listening, part_of, steppers
from neurosim.runtime import track
from neurosim.schema import STIMULUS_DIMS, InputError, labelled

PROBES = ((0, 1), (1, 0, 2))  # stimuli shown first, to see which axis runs over stimuli, and whether each has its own


class Shown:
    """Stimuli that are shown to a network, batch by batch, in the dtype that it takes."""

    def __init__(
        self, network: nn.Module, stimuli: xr.DataArray, device: str, double: bool, dtype: torch.dtype | None = None
    ) -> None:
        self.network, self.stimuli, self.device = network, stimuli, device
        self.floating = torch.float64 if double else _floating(network)
        self.dtype = dtype

    def starts(self, batch_size: int) -> list[int]:
        """Return the first stimulus of each batch."""
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise InputError(f"record_responses: batch_size = {batch_size!r}; a whole number of at least 1 is asked.")
        return list(range(0, self.stimuli.sizes["stimulus"], batch_size))

    def run(self, start: int, size: int) -> Any:
        """Return what the network answers to one batch."""
        return self.show(self.stimuli.isel(stimulus=slice(start, start + size)))

    def answers(
        self, wanted: Sequence[Tap], reading: Reading, batch_size: int, first: xr.DataArray | None = None
    ) -> list[Answer]:
        """Return what will be recorded; axes are measured with the first stimuli, and no random number is used up."""
        modules = dict(self.network.named_modules())
        asked = {tap.module for tap in wanted}
        _check_reachable(modules, wanted)
        every = [*wanted, *(t for t in steppers(self.network) if t.module not in asked or t not in wanted)]

        def take(tap: Tap, _call: int, value: object) -> Any:
            try:
                return part_of(tap, value, modules[tap.module]).detach()
            except InputError as error:
                if tap.asked:
                    raise
                return error

        self.starts(batch_size)
        first = self.stimuli if first is None else first
        devices = [self.device] if self.device.startswith("cuda") else []
        with torch.no_grad(), torch.random.fork_rng(devices), listening(self.network, every, take) as heard:

            def probe(few: tuple[int, ...]) -> dict[Tap, dict[int, Any]]:
                self.show(first.isel(stimulus=np.array(few) % first.sizes["stimulus"]), heard.clear)
                return dict(heard)

            probes = [probe(few) for few in PROBES]
            sizes, over_time = [len(few) for few in PROBES], "time" in self.stimuli.dims
            found = answers(self.network, probes, sizes, wanted, reading, over_time)
            if batch_size == 1:
                return found
            return steady_answers(self.network, found, probes, lambda: probe(PROBES[0]))

    def blocks(
        self, found: Sequence[Answer], batch_size: int, progress: bool = False
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield what every layer answers to each batch, (stimulus, [time,] unit)."""
        modules = dict(self.network.named_modules())
        axes = {(a.tap, None if a.over_steps else a.call): a.axes for a in found}
        n_now = 0

        def take(tap: Tap, call: int, value: object) -> Tensor | None:
            known = axes.get((tap, None)) or axes.get((tap, call))
            return None if known is None else known.rows(part_of(tap, value, modules[tap.module]).detach(), n_now)

        wanted = list(dict.fromkeys(a.tap for a in found))
        n_all = self.stimuli.sizes["stimulus"]
        label = f"recording {type(self.network).__name__}"
        with listening(self.network, wanted, take) as heard:  # grad mode would last over the yields
            for start in track(self.starts(batch_size), label, progress=progress):
                heard.clear()
                n_now = min(batch_size, n_all - start)
                with torch.no_grad():
                    self.run(start, batch_size)
                yield {a.name: _collected(a, heard.get(a.tap, {})) for a in found}

    def show(self, shown: xr.DataArray, before: Callable[[], None] = lambda: None) -> Any:
        """Return what the network answers to stimuli as one batch."""
        values = torch.from_numpy(native(shown.values))
        values = values.transpose(0, 1) if "time" in shown.dims else values
        problem: Exception | None = None
        for dtype in [self.dtype] if self.dtype is not None else self._dtypes(values):
            try:
                before()
                reset_neurons(self.network)
                answer = self.network(values.to(self.device, dtype, copy=True))  # which may write into it
                self.dtype = dtype
                return answer
            except (InputError, torch.OutOfMemoryError):
                raise
            except Exception as error:  # whatever somebody's code raises
                problem = problem or error
        line = " ".join(str(problem).split())[:200]
        raise InputError(
            f"record_responses: {type(self.network).__name__} does not take stimuli of shape {tuple(values.shape)} "
            f"and dtype {shown.dtype}: {type(problem).__name__}: {line}"
        ) from problem

    def _dtypes(self, values: Tensor) -> list[torch.dtype]:
        """Return what to try: integers first where an embedding could take them, floats first for all else."""
        if values.is_floating_point() or values.dtype == torch.bool:
            return [self.floating]
        embeds = any(isinstance(m, nn.Embedding | nn.EmbeddingBag) for m in self.network.modules())
        return [torch.int64, self.floating] if embeds else [self.floating, torch.int64]


def _collected(answer: Answer, calls: dict[int, Tensor]) -> np.ndarray:
    if len(calls) != answer.n_calls:
        raise InputError(
            f"record_responses: layer {answer.tap.module!r} is called {answer.n_calls} times for some stimuli and "
            f"{len(calls)} times for others; record it for stimuli of one length."
        )
    if answer.over_steps:
        return torch.stack([calls[k] for k in sorted(calls)], dim=1).cpu().numpy()
    return calls[answer.call].cpu().numpy()


def _check_reachable(modules: dict[str, nn.Module], wanted: Sequence[Tap]) -> None:
    """Refuse layers inside scripted or traced modules, which run where no hook is called, if asked by name or alone."""
    outer = {tap: _scripted_above(modules, tap.module) for tap in wanted}
    inside = [tap for tap in wanted if outer[tap] is not None]
    refused = [tap for tap in inside if tap.asked] or (inside if len(inside) == len(wanted) else [])
    if refused:
        raise InputError(
            f"record_responses: layer {refused[0].module!r} is inside {outer[refused[0]] or 'the network'!r}, which is "
            "scripted or traced and calls no hooks; record the module before it was traced."
        )


def _scripted_above(modules: dict[str, nn.Module], name: str) -> str | None:
    above = [".".join(name.split(".")[:k]) for k in range(name.count(".") + 1)]
    return next((n for n in above if n != name and isinstance(modules.get(n), torch.jit.ScriptModule)), None)


def _floating(network: nn.Module) -> torch.dtype:
    """Return the dtype of all weights, float32 where they differ or there are none."""
    dtypes = {p.dtype for p in network.parameters() if p.is_floating_point()}
    return dtypes.pop() if len(dtypes) == 1 else torch.float32


def as_network(network: object) -> nn.Module:
    """Return the network, or the one inside a compiled one.

    Raises
    ------
    InputError : no module, one without weights, in copies on several devices, or one that cannot be put into
        evaluation mode, as frozen and exported ones.
    """
    inner = check_module("record_responses", getattr(network, "_orig_mod", network))
    for name, module in inner.named_modules():
        if isinstance(module, nn.DataParallel) and len(module.device_ids) > 1:
            raise InputError(
                f"record_responses: {name or 'the network'!r} runs in copies on several devices; record its .module."
            )
        if not hasattr(module, "training") or "eval" in vars(module):
            raise InputError(
                f"record_responses: {name or 'the network'!r} is frozen or exported and has no evaluation mode; record "
                "the module that it was made from."
            )
    return inner


def as_shown(stimuli: object, who: str) -> xr.DataArray:
    """Return stimuli as networks are given them, with their dims in order; arrays and tables are labelled.

    Raises
    ------
    SchemaError : no array of finite real numbers, or dims that are not plain.
    """
    found = labelled(stimuli, who, "stimuli")
    return found.transpose(*[d for d in STIMULUS_DIMS if d in found.dims])
