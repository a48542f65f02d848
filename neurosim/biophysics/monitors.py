"""What the monitors of a Brian2 network recorded, as one row of responses a monitor."""

from __future__ import annotations

import numpy as np

from neurosim.schema import InputError


def monitored(network: object) -> dict[str, np.ndarray]:
    """Return what each monitor of a Brian2 network that has been run recorded, by the name of the monitor.

    Parameters
    ----------
    network : ``brian2.Network`` after its ``run``. Each ``SpikeMonitor`` gives the spikes of every neuron; each
        ``StateMonitor`` the mean over time of every variable and neuron, in SI units.

    Returns
    -------
    values (unit,) by monitor.

    Raises
    ------
    InputError : it is no network, was not run, or holds no such monitor.

    Examples
    --------
    >>> import brian2 as b2
    >>> group = b2.NeuronGroup(2, "v : 1", threshold="i == 0", codeobj_class=b2.NumpyCodeObject, name="pair")
    >>> spikes = b2.SpikeMonitor(group, name="spikes", codeobj_class=b2.NumpyCodeObject)
    >>> network = b2.Network(group, spikes)
    >>> network.run(0.5 * b2.ms)
    >>> monitored(network)["spikes"].tolist()
    [5.0, 0.0]
    """
    import brian2

    if not isinstance(network, brian2.Network):
        raise InputError(f"monitored: a brian2.Network asked, found a {type(network).__name__}.")
    if not float(network.t):
        raise InputError("monitored: the network has not been run; call its run(...) before it is returned.")
    found: dict[str, np.ndarray] = {}
    for thing in sorted(network.objects, key=lambda o: str(o.name)):
        if isinstance(thing, brian2.SpikeMonitor):
            found[thing.name] = np.asarray(thing.count, dtype=float)
        elif isinstance(thing, brian2.StateMonitor):
            traces = [np.asarray(getattr(thing, f"{name}_"), dtype=float) for name in thing.record_variables]
            found[thing.name] = np.concatenate([trace.mean(axis=1) for trace in traces])
    if not found:
        raise InputError("monitored: the network holds no SpikeMonitor and no StateMonitor; add one to it.")
    return found
