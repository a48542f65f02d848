"""A circuit as a Brian2 script to read, change and run without this package: what the engine builds, written down.

The engine builds its network with a stand-in for the module ``brian2`` that writes a line for each object, assignment
and call. So a script holds whatever circuits can hold, and the same numbers in the same order: every spike is equal.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.biophysics.brian2_engine import build
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.plain_numbers import number, one_of
from neurosim.biophysics.presentation import apart, check_stimuli, make_chunk, most_at_once, spread_spikes
from neurosim.refusals import InputError, asked_by
from neurosim.runtime import as_seed

WHO = "to_brian2"
FEW = 48  # numbers that are written in place
MOST_EMBEDDED = 100_000


@asked_by(WHO, "simulate")
def to_brian2(
    circuit: Circuit,
    stimuli: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    path: str | Path | None = None,
    tail: float = 0.0,
    rng: np.random.Generator | int = 0,
) -> str:
    """Write a circuit and what it is shown as a Brian2 script, which sends the spikes that :func:`simulate` counts.

    The script needs Brian2 and numpy alone. Its numbers are in SI units, without Brian2's dimensions, as in the engine.
    Several stimuli are copies of the circuit, side by side in each group. Weights of plastic projections stay.

    Parameters
    ----------
    circuit : what to write. stimuli : as :func:`simulate` takes them.
    path : file to write the script to, with a file ``.npz`` of its arrays beside it; without it arrays are in the text.
    tail : time that is simulated after the last input sample, s.
    rng : seed of everything random, or a generator that draws the seed.

    Returns
    -------
    the text of the script.

    Raises
    ------
    InputError : stimuli that the circuit does not take, or arrays that are too large for a text where no path is given.

    Examples
    --------
    >>> neuron = ns.biophysics.Population("out", 1, ns.parameters.DiscreteLIFParameters())
    >>> wire = ns.biophysics.Projection("input", "out", [[1.5]])
    >>> circuit = ns.biophysics.Circuit("one", ns.biophysics.Input(1), (neuron,), (wire,), dt=1e-3, step=1e-3)
    >>> spikes = ns.as_stimuli([[[1.0], [0.0], [1.0]]], dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> "M0 = SpikeMonitor(" in ns.biophysics.to_brian2(circuit, spikes)
    True
    """
    with_data = path is not None
    shown, seed, tail = check_stimuli(circuit, stimuli), as_seed(rng, WHO), one_of(WHO, "tail", tail, number)
    n_steps = round((shown.n_time * circuit.step + tail) / circuit.dt)
    copies = [(s, 0) for s in range(len(shown.ids))]
    laid = apart(circuit, most_at_once(circuit, shown, 1, seed))
    chunk = spread_spikes(laid, make_chunk(circuit, shown, copies, n_steps, seed))
    script = _Script(_comments(circuit), with_data)
    parts = build(cast("Any", script), laid, chunk, (), inputs_as_arrays=False, is_fed=False)
    body = [*script.lines, "", f"network.run({n_steps * circuit.dt!r} * second, namespace={{}})"]
    monitors = ", ".join(f"{name!r}: {monitor.code}" for name, monitor in cast("Any", parts.spikes).items())
    body += ["", f"spikes = {{{monitors}}}", "for population, monitor in spikes.items():"]
    body += ['    print(f"{population}: {monitor.num_spikes} spikes")']
    file = None if path is None else storage.as_path(path, "to_brian2")
    data = None if file is None else file.with_suffix(".npz")
    text = "\n".join([*_head(circuit, shown.ids, script, data), *body]) + "\n"
    if file is not None and data is not None:
        storage.write_text(file, text)
        if script.arrays:
            content = io.BytesIO()
            np.savez_compressed(content, **script.arrays)  # type: ignore[arg-type]
            storage.write_bytes(data, content.getvalue())
    return text


def _head(circuit: Circuit, ids: tuple[str, ...], script: _Script, data: Path | None) -> list[str]:
    """Return the docstring, imports and preferences of a script."""
    about = f"{circuit.name}: " + ", ".join(f"{p.size} {p.name}" for p in circuit.populations)
    several = f"; neurons of stimulus k are those from k times the size of the population on: {', '.join(ids)}"
    lines = [
        f'r"""{_plain(about)}.',
        "",
        "Numbers are in SI units (V, A, S, s), without Brian2's dimensions. Drawn numbers are given as arrays.",
        f"Shown: {_plain(ids[0])}." if len(ids) == 1 else f"Shown: {len(ids)} stimuli{_plain(several)}.",
        '"""',
        "",
        *(["from pathlib import Path", ""] if data is not None and script.arrays else []),
        "import numpy as np",
        f"from brian2 import {', '.join(sorted({*script.used, 'prefs'}))}",
        "",
        'prefs.codegen.target = "numpy"',
        "prefs.codegen.loop_invariant_optimisations = False",
        "",
    ]
    if data is not None and script.arrays:
        lines += [f"data = np.load(Path(__file__).with_name({data.name!r}))", ""]
    return lines


def _plain(text: str) -> str:
    """Return a text that may stand in a docstring."""
    return text.replace("\\", "/").replace('"', "'")


def _comments(circuit: Circuit) -> dict[str, str]:
    """Return what is said above an object, by the begin of its name."""
    found = {
        f"input_spikes_{i}": f"What {shown.name!r} shows: {shown.size} units of {shown.kind}"
        for i, shown in enumerate(circuit.all_inputs)
    }
    for i, p in enumerate(circuit.populations):
        found[f"L{i}"] = f"Population {p.name!r}: {p.size} neurons"
        found[f"M{i}"] = f"Spikes of {p.name!r}"
    for i, q in enumerate(circuit.projections):
        place = f"from {q.source!r} to {q.target!r}"
        found |= {f"S{i}": f"Synapses {place}", f"relay{i}": f"What spikes {place} release"}
    return found


class _Script:
    """A stand-in for the module ``brian2`` that writes down what is made of it."""

    def __init__(self, comments: Mapping[str, str], with_data: bool) -> None:
        self.comments, self.with_data = comments, with_data
        self.lines: list[str] = []
        self.arrays: dict[str, np.ndarray] = {}
        self.used: dict[str, None] = {}
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.used[name] = None
        return _Written(self, name) if name == "second" else _Maker(self, name)

    def text(self, value: Any, place: str) -> str:
        """Return a value as Python; `place` names it, where it is an array too large to stand in the line."""
        if isinstance(value, _Written):
            return str(value.code)
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{k!r}: {self.text(v, f'{place}_{k}')}" for k, v in value.items()) + "}"
        if isinstance(value, str) and "\n" in value:
            return '"""\n' + "\n".join(f"    {line}" for line in value.splitlines() if line.strip()) + '\n"""'
        if isinstance(value, np.ndarray) and value.ndim:
            return self._array(value, place)
        plain = value.item() if isinstance(value, np.generic | np.ndarray) else value
        if plain is not None and not isinstance(plain, bool | int | float | str | list):
            raise InputError(f"{WHO}: a {type(plain).__name__} at {place!r} cannot be written as Brian2 code.")
        return repr(plain)

    def _array(self, value: np.ndarray, place: str) -> str:
        flat = value.ravel()
        if value.ndim == 1 and flat.size > 1 and value.dtype.kind in "iu" and (flat == np.arange(flat.size)).all():
            return f"np.arange({flat.size})"
        if flat.size > 1 and (flat == flat[0]).all():
            return f"np.full({value.shape}, {flat[0].item()!r})"
        if self.with_data and flat.size > FEW:
            name = place if place not in self.arrays else f"{place}_{len(self.arrays)}"
            self.arrays[name] = value
            return f"data[{name!r}]"
        if flat.size > MOST_EMBEDDED:
            raise InputError(f"{WHO}: {place} holds {flat.size} numbers, too many for a text; give path=.")
        return f"np.array({value.tolist()!r}, dtype={value.dtype.name!r})"


class _Maker:
    """A class of Brian2: called, it writes the line that makes an object."""

    def __init__(self, script: _Script, kind: str) -> None:
        self.script, self.kind = script, kind

    def __call__(self, *args: Any, **options: Any) -> _Written:
        script = self.script
        stem = options.get("name", self.kind.lower())
        name = stem if stem not in script.names else f"{stem}_{len(script.names)}"
        script.names.add(name)
        beginning = next((k for k in (stem, stem.split("_")[0]) if k in script.comments), None)
        if beginning is not None:
            script.lines += ["", f"# {script.comments[beginning]}"]
        given = [script.text(a, f"{name}_{i}") for i, a in enumerate(args)]
        given += [
            f"{k}={script.text(v, f'{name}_{k}')}" for k, v in options.items() if v is not None and (k != "events" or v)
        ]
        long = sum(map(len, given)) > 90
        inner = "\n    " + ",\n    ".join(given) + ",\n" if long else ", ".join(given)
        script.lines.append(f"{name} = {self.kind}({inner})")
        known: dict[str, Any] = {"name": name}
        if args and isinstance(args[0], int | np.integer):
            known["N"] = args[0]
        spikes = {"thresholder": options.get("threshold"), "resetter": str(options.get("reset", "")).strip()}
        for part, code in spikes.items():
            events = {*(["spike"] if code else []), *(options.get("events", {}) if part == "thresholder" else {})}
            known[part] = _Written(script, f"{name}.{part}", {"events": events})
        return _Written(script, name, known, {"post"} if not options.get("on_post") else set())


class _Written:
    """An object of the script; what is assigned to it, or called of it, becomes a line."""

    __array_ufunc__ = None  # numpy lets it write products with arrays

    def __init__(
        self,
        script: _Script,
        code: str,
        known: Mapping[str, Any] | None = None,
        absent: set[str] | None = None,
    ) -> None:
        vars(self).update(script=script, code=code, known=known or {}, absent=absent or set())

    def __getattr__(self, name: str) -> Any:
        if name in self.known:
            return self.known[name]
        if name.startswith("__") or name in self.absent:
            raise AttributeError(name)
        return _Written(self.script, f"{self.code}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        place = f"{self.code}_{name}".replace(".", "_")
        self.script.lines.append(f"{self.code}.{name} = {self.script.text(value, place)}")

    def __getitem__(self, key: str) -> _Written:
        return _Written(self.script, f"{self.code}[{key!r}]")

    def __contains__(self, key: str) -> bool:
        return key in self.known["events"]

    def __call__(self, *args: Any, **options: Any) -> None:
        place = self.code.replace(".", "_")
        given = [self.script.text(a, f"{place}_{i}") for i, a in enumerate(args)]
        given += [f"{k}={self.script.text(v, f'{place}_{k}')}" for k, v in options.items()]
        self.script.lines.append(f"{self.code}({', '.join(given)})")

    def __rmul__(self, factor: Any) -> _Written:
        return _Written(self.script, f"{self.script.text(factor, 'times')} * {self.code}")
