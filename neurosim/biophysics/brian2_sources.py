"""A user's Brian2 network, brought back to its beginning before each stimulus: built anew, restored, or compiled once.

What is random in it is seeded from (seed, stimulus, trial), so that the order of the stimuli changes nothing.
"""

from __future__ import annotations

import contextlib
import inspect
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosim.biophysics.brian2_engine import import_brian2
from neurosim.biophysics.garbage import unsearched
from neurosim.biophysics.monitors import Record, Window, chosen, monitors_in, records, time_of
from neurosim.own_functions import asks_for, call
from neurosim.refusals import InputError
from neurosim.runtime import seed_of, stream

WHO = "record_brian2"
STATE = "neurosim"
OF_STIMULUS = ("stimulus", "stimuli", "trial", "trials", "rng", "rngs")
LARGEST_SEED = 2**32


@dataclass(frozen=True)
class Show:
    """What one run presents: stimuli along ``stimulus``, one for each copy, and the trial of each."""

    stimuli: xr.DataArray
    trials: tuple[int, ...]

    @property
    def key(self) -> tuple[str | int, ...]:
        """What tells this run from others, for seeds."""
        return (*(str(s) for s in self.stimuli["stimulus"].values), *self.trials)


@dataclass(frozen=True)
class Asked:
    """What is to be done with a network; `duration` is None where its function runs it itself."""

    network: Any
    present: Callable[..., Any] | None
    monitors: Mapping[str, Any] | None
    duration: float | None
    time_bin: float | None
    copies: int | None
    rebuild: bool
    namespace: Mapping[str, Any]
    seed: int

    @property
    def is_function(self) -> bool:
        """Whether a function makes the network."""
        return callable(self.network)


@dataclass
class Built:
    """A network, the names that its equations read, and the monitors of every layer."""

    network: Any
    names: dict[str, Any]
    monitors: dict[str, Any]


Shower = Callable[[Show], dict[str, Record]]


def shower(asked: Asked, trials: int) -> Shower:
    """Return what presents the stimuli of a run, and gives what the monitors recorded."""
    network = asks_for(asked.network) if asked.is_function else []
    present = None if asked.present is None else asks_for(asked.present)
    anew = asked.is_function and (asked.rebuild or bool(asked.copies))
    if is_made_anew(network, present, anew=anew, copies=asked.copies, duration=asked.duration, trials=trials):
        return lambda show: _rebuilt(asked, show)
    earlier = _compiled_networks()
    built = _built(asked, {}) if asked.is_function else _given_network(asked)
    if asked.is_function and earlier & _compiled_networks():
        raise InputError(
            f"{WHO}: Brian2's device holds the program of a network that was run before, and holds one alone; say "
            "brian2.device.reinit() and set_device('cpp_standalone', build_on_run=False) where the function begins."
        )
    if _is_standalone():
        _check_trials(present or [], trials, "a compiled network")
        return _compiled(asked, built)
    if asked.duration is None:
        raise InputError(f"{WHO}: duration=, how long each stimulus is shown, is asked in s.")
    return _restored(asked, built)


def is_made_anew(
    network: Sequence[str],
    present: Sequence[str] | None,
    *,
    anew: bool,
    copies: int | None,
    duration: float | None,
    trials: int,
) -> bool:
    """Say whether the network is made for each stimulus, by what functions ask for; None is no function.

    Raises
    ------
    InputError : nothing shows a stimulus, copies of a function that makes one network, or trials that would be alike.
    """
    if anew and copies and "n_copies" not in network:
        raise InputError(f"{WHO}: copies= is for a function of n_copies, which makes that many copies of its network.")
    if anew or set(network) & set(OF_STIMULUS):
        if duration is None:
            _check_trials(network, trials, "a function that runs its network")
        return True
    if present is None:
        raise InputError(
            f"{WHO}: nothing shows a stimulus to the network; give present=, a function of network and stimulus."
        )
    if duration is None:
        _check_trials(present, trials, "without duration= a compiled network is meant, which")
    return False


def _check_trials(asks: Sequence[str], trials: int, what: str) -> None:
    """Refuse trials that would all be the same."""
    if trials > 1 and not {"trial", "rng"} & set(asks):
        raise InputError(
            f"{WHO}: {what} draws the same numbers in every trial; let a function ask for 'rng', or trials=1."
        )


def _given_network(asked: Asked) -> Built:
    """Return a network that was given as it is, and has not been run."""
    b2, network = import_brian2(), asked.network
    if isinstance(network, b2.MagicNetwork):
        raise InputError(
            f"{WHO}: the magic network holds whatever is visible where run() is called; give "
            "brian2.Network(brian2.collect()), or a function that makes the objects and returns locals()."
        )
    if not isinstance(network, b2.Network):
        raise InputError(
            f"{WHO}: a brian2.Network, or a function that makes one, is asked, found a {type(network).__name__}."
        )
    if asked.rebuild or asked.copies:
        raise InputError(f"{WHO}: rebuild and copies need a function that makes the network, found a brian2.Network.")
    if time_of(network) > 0 and not _is_standalone():
        raise InputError(
            f"{WHO}: the network was already run for {time_of(network):g} s; give it before its run(...), or a "
            "function that makes it."
        )
    return _with_monitors(asked, network, dict(asked.namespace), {})


def _built(asked: Asked, given: Mapping[str, Any]) -> Built:
    """Call the user's function, which returns a network or, as ``locals()``, names among which its objects are."""
    b2 = import_brian2()
    b2.seed(seed_of(asked.seed, "build") % LARGEST_SEED)
    made = call(asked.network, given, f"{WHO}, the function that makes the network")
    names = {**_global_names(asked.network), **asked.namespace}
    if isinstance(made, Mapping):
        networks = {id(n): n for n in made.values() if isinstance(n, b2.Network) and not isinstance(n, b2.MagicNetwork)}
        found = list(networks.values())
        if len(found) > 1:
            raise InputError(f"{WHO}: what the function returned holds {len(found)} networks; return the one to run.")
        magic = {id(o): o for o in made.values() if isinstance(o, b2.BrianObject) and o.add_to_magic_network}
        has_run = not found and asked.duration is None
        try:
            network = found[0] if found else b2.Network(*([] if has_run else magic.values()))
        except RuntimeError:  # an object that was run belongs to the network that ran it
            raise InputError(
                f"{WHO}: the function runs its network itself; leave out duration=, or its run(...)."
            ) from None
        return _with_monitors(asked, network, {**names, **made}, monitors_in(made))
    if not isinstance(made, b2.Network) or isinstance(made, b2.MagicNetwork):
        raise InputError(
            f"{WHO}: the function returned a {type(made).__name__}; a brian2.Network, or locals() of a function that "
            "makes Brian2 objects, is asked."
        )
    return _with_monitors(asked, made, names, {})


def _global_names(function: Callable[..., Any]) -> dict[str, Any]:
    """Return what a function sees: the top of its file, and the functions around it."""
    inner = inspect.unwrap(getattr(function, "func", function))
    if not inspect.isfunction(inner):
        return {}
    return {**inner.__globals__, **inspect.getclosurevars(inner).nonlocals}


def _with_monitors(asked: Asked, network: Any, names: dict[str, Any], named: Mapping[str, Any]) -> Built:
    known = {id(m) for m in named.values()}
    found = {str(o.name): o for o in network.objects if id(o) not in known}
    layers = chosen({**named, **monitors_in(found)}, asked.monitors, WHO)
    inside = {id(o) for o in network.objects}
    outside = [name for name, monitor in layers.items() if id(monitor) not in inside]
    if outside and asked.duration is not None:
        raise InputError(f"{WHO}: the monitor {outside[0]!r} is not in the network; say network.add({outside[0]}).")
    return Built(network, names, layers)


def _rebuilt(asked: Asked, show: Show) -> dict[str, Record]:
    """Make the network anew, present and run it; or read it where its function has run it."""
    with unsearched() as leaves:
        given = _given(asked, show)
        built = _built(asked, given)
        leaves(_size_of(built))
        return _shown_once(asked, built, show, given)


def _size_of(built: Built) -> int:
    """Return how many neurons and synapses the user's function has made."""
    b2 = import_brian2()
    made = {id(o): o for o in (*built.network.objects, *built.names.values()) if isinstance(o, b2.Group)}
    return sum(int(o.variables["N"].get_value()) for o in made.values() if "N" in o.variables)


def _shown_once(asked: Asked, built: Built, show: Show, given: Mapping[str, Any]) -> dict[str, Record]:
    """Run a network that was made for a stimulus, or read it where its function has run it."""
    if _is_standalone():
        raise InputError(
            f"{WHO}: C++ standalone is built once; make the network without the stimulus, and give present=, which "
            "returns the run_args of a stimulus."
        )
    if asked.duration is None:
        ended = max(float(m.clock.variables["t"].get_value().item()) for m in built.monitors.values())
        if not ended:
            raise InputError(f"{WHO}: the function did not run its network, so that duration= is asked, in s.")
        return _read(built, asked, 0.0, ended)
    return _run(asked, built, show, given)


def _restored(asked: Asked, built: Built) -> Shower:
    """Present and run, from the state in which the network was given."""
    built.network.store(STATE)

    def shown(show: Show) -> dict[str, Record]:
        try:
            with unsearched():
                return _run(asked, built, show, _given(asked, show))
        finally:
            built.network.restore(STATE)

    return shown


def _compiled(asked: Asked, built: Built) -> Shower:
    """Run the program of a network with other arguments; it is built here where it was not."""
    b2 = import_brian2()
    device = b2.get_device()
    if device.build_on_run:
        raise InputError(f"{WHO}: set_device('cpp_standalone', build_on_run=False) is asked, so that it can run again.")
    if not device.networks:
        if asked.duration is None:
            raise InputError(f"{WHO}: duration=, how long each stimulus is shown, is asked in s.")
        with _refusing():
            built.network.run(asked.duration * b2.second, namespace=built.names)
    lasts = max(time_of(network) for network in device.networks)
    if asked.duration is not None and not np.isclose(lasts, asked.duration):
        raise InputError(
            f"{WHO}: the program was built to run for {lasts:g} s, a duration of {asked.duration:g} s is asked."
        )
    if device.project_dir is None:
        folder = tempfile.TemporaryDirectory(prefix="neurosim-brian2-")
        weakref.finalize(built.network, folder.cleanup)  # so that it can be shown other stimuli later
        with _refusing():
            device.build(directory=folder.name, run=False)

    def shown(show: Show) -> dict[str, Record]:
        arguments = _presented(asked, built, _given(asked, show))
        with _refusing():
            device.run(run_args=arguments, with_output=False)
        return _read(built, asked, 0.0, lasts)

    return shown


def _given(asked: Asked, show: Show) -> dict[str, Any]:
    """Return what a user's function may ask for, of the stimuli of one run."""
    ids = [str(s) for s in show.stimuli["stimulus"].values]
    streams = [stream(asked.seed, "present", s, t) for s, t in zip(ids, show.trials, strict=True)]
    if asked.copies:
        return {"stimuli": show.stimuli, "trials": show.trials, "rngs": streams, "n_copies": len(ids)}
    return {"stimulus": show.stimuli[0], "trial": show.trials[0], "rng": streams[0]}


def _presented(asked: Asked, built: Built, given: Mapping[str, Any]) -> dict[Any, Any]:
    """Let the user's function show a stimulus, and return the names, or arguments of a program, that it gives."""
    if asked.present is None:
        return {}
    given = {"network": built.network, "names": built.names, **given}
    shown = call(asked.present, given, f"{WHO}, present")
    if shown is not None and not isinstance(shown, Mapping):
        raise InputError(f"{WHO}: present returns nothing, or names with values, found a {type(shown).__name__}.")
    return dict(shown or {})


def _run(asked: Asked, built: Built, show: Show, given: Mapping[str, Any]) -> dict[str, Record]:
    b2 = import_brian2()
    b2.seed(seed_of(asked.seed, "brian2", *show.key) % LARGEST_SEED)
    start = time_of(built.network)
    names = {**built.names, **_presented(asked, built, given)}
    assert asked.duration is not None
    with _refusing():
        built.network.run(asked.duration * b2.second, namespace=names)
    ran = time_of(built.network) - start
    if not np.isclose(ran, asked.duration):
        raise InputError(
            f"{WHO}: the network was asked to run for {asked.duration:g} s and ran for {ran:g} s: it stops itself, or "
            "its clocks do not meet; leave that out, or choose another duration."
        )
    return _read(built, asked, start, asked.duration)


def _read(built: Built, asked: Asked, start: float, duration: float) -> dict[str, Record]:
    window = Window(start, duration, asked.time_bin or duration)
    found: dict[str, Record] = {}
    for layer, monitor in built.monitors.items():
        found |= dict(records(layer, monitor, window, WHO))
    return found


def _is_standalone() -> bool:
    from brian2.devices.device import RuntimeDevice

    return not isinstance(import_brian2().get_device(), RuntimeDevice)


def _compiled_networks() -> set[Any]:
    """Return the networks that were run on a device of programs, which are in its program."""
    return set(import_brian2().get_device().networks) if _is_standalone() else set()


@contextlib.contextmanager
def device_as_before() -> Iterator[None]:
    """Put Brian2's device back where a function inside the block chose another."""
    from brian2.devices.device import reset_device

    b2 = import_brian2()
    before = b2.get_device()
    try:
        yield
    finally:
        if b2.get_device() is not before:
            b2.device.reinit()
            reset_device()


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Say in one line what Brian2 refuses, such as a name of an equation that has no value."""
    try:
        yield
    except Exception as error:
        cause = " ".join(str(error.__cause__ or error).split()).strip("'")[:300]
        missing = " Return locals() from the function, or give namespace=." if "resolved" in cause else ""
        raise InputError(f"{WHO}: Brian2 cannot run the network: {cause}{missing}") from error
