"""NIR graphs that other tools write, beside what those tools answer; and what becomes of a folder of such files.

``python -m tests.campaigns.nir_of_others make`` writes ``tests/biophysics/nir_files`` with snnTorch 1.0, SpikingJelly
2.0, Norse 1.1 (each with nirtorch 2.6) and Sinabs 3.1 (with nirtorch 2.0), as far as they are installed.
``... try FOLDER [SECONDS]`` prints a line a file of a folder: it runs as the equations of NIR say, or why not.
"""

import sys
import warnings
from pathlib import Path

import nir
import numpy as np
import torch
from torch import nn

from neurosim.biophysics.nir_circuits import circuit_from_nir, load_nir
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.schema import InputError, as_stimuli
from tests.nir_reference import Interpreter

FILES = Path(__file__).parents[1] / "biophysics" / "nir_files"
N_STEPS = 60
FLAT, PICTURE = (6,), (1, 8, 8)


def full(value, *shape):
    return torch.full(shape, value)


def snntorch_chain():
    import snntorch as snn
    from snntorch.export_nir import export_to_nir

    options = {"reset_mechanism": "zero", "init_hidden": True}
    network = nn.Sequential(
        nn.Linear(6, 5), snn.Leaky(full(0.9, 5), threshold=full(0.2, 5), **options),
        nn.Linear(5, 3), snn.Leaky(full(0.8, 3), threshold=full(0.2, 3), **options),
    )  # fmt: skip
    return export_to_nir(network, torch.ones(FLAT)), FLAT, network


def snntorch_pictures():
    import snntorch as snn
    from snntorch.export_nir import export_to_nir

    options = {"reset_mechanism": "zero", "init_hidden": True}
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), snn.Leaky(full(0.9, 4, 6, 6), threshold=full(0.3, 4, 6, 6), **options), nn.AvgPool2d(2),
        nn.Flatten(0), nn.Linear(36, 3), snn.Leaky(full(0.8, 3), threshold=full(0.1, 3), **options),
    )  # fmt: skip
    return export_to_nir(network, torch.ones(PICTURE)), PICTURE, network


def snntorch_recurrent():
    import snntorch as snn
    from snntorch.export_nir import export_to_nir

    network = nn.Sequential(
        nn.Linear(6, 5),
        snn.RSynaptic(full(0.8, 5), full(0.9, 5), threshold=full(1.0, 5), linear_features=5, init_hidden=True),
        nn.Linear(5, 3), snn.Synaptic(full(0.7, 3), full(0.8, 3), threshold=full(0.3, 3), init_hidden=True),
    )  # fmt: skip
    return export_to_nir(network, torch.ones(FLAT)), FLAT, None  # its reset is none that NIR holds


def spikingjelly_chain():
    from spikingjelly.activation_based import layer, neuron, nir_exchange

    network = nn.Sequential(
        layer.Linear(6, 5), neuron.LIFNode(tau=3.0, v_threshold=0.2), layer.Linear(5, 3), neuron.IFNode(0.5)
    )
    return nir_exchange.export_to_nir(network, torch.ones(1, *FLAT)), FLAT, Batched(network)


def spikingjelly_pictures():
    from spikingjelly.activation_based import layer, neuron, nir_exchange

    network = nn.Sequential(
        layer.Conv2d(1, 4, 3), neuron.IFNode(0.5), layer.AvgPool2d(2), layer.Flatten(), layer.Linear(36, 3),
        neuron.LIFNode(tau=2.0, v_threshold=0.1),
    )  # fmt: skip
    return nir_exchange.export_to_nir(network, torch.ones(1, *PICTURE)), PICTURE, Batched(network)


def norse_integrator():
    import norse.torch as norse

    fires = norse.LIFBoxParameters(full(100.0, 5), full(0.0, 5), full(0.04, 5), full(0.0, 5))
    reads = norse.LIBoxParameters(full(100.0, 3), full(0.0, 3))
    network = norse.SequentialState(nn.Linear(6, 5), norse.LIFBoxCell(fires), nn.Linear(5, 3), norse.LIBoxCell(reads))
    return norse.to_nir(network, torch.ones(FLAT)), FLAT, Stateful(network)


def sinabs_pictures():
    import sinabs.activation as sa
    import sinabs.layers as sl
    from sinabs.nir import to_nir

    once = {
        "batch_size": 1,
        "spike_threshold": torch.tensor(0.4),
        "spike_fn": sa.SingleSpike,
        "reset_fn": sa.MembraneReset(),
    }
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        sl.IAFSqueeze(**once),
        sl.SumPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 3),
        sl.IAFSqueeze(**once),
    )
    return to_nir(network, torch.ones(1, *PICTURE)), PICTURE, Batched(network)


def sinabs_integrator():
    import sinabs.layers as sl
    from sinabs.nir import to_nir

    network = nn.Sequential(
        nn.Linear(6, 5), sl.LIFSqueeze(tau_mem=full(10.0, 5), spike_threshold=full(0.2, 5), batch_size=1),
        nn.Linear(5, 3), sl.ExpLeakSqueeze(tau_mem=full(10.0, 3), batch_size=1),
    )  # fmt: skip
    return to_nir(network, torch.ones(4, *FLAT)), FLAT, None  # its steps and its reset are none that NIR holds


class Batched(nn.Module):
    """A network of batches, shown one step of one stimulus."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, now):
        return self.network(now[None])[0]


class Stateful(nn.Module):
    """A network that returns its state, which is given back to it."""

    def __init__(self, network):
        super().__init__()
        self.network, self.state = network, None

    def forward(self, now):
        answer, self.state = self.network(now, self.state)
        return answer


def make():
    FILES.mkdir(exist_ok=True)
    makers = (snntorch_chain, snntorch_pictures, snntorch_recurrent, spikingjelly_chain, spikingjelly_pictures,
              norse_integrator, sinabs_pictures, sinabs_integrator)  # fmt: skip
    for maker in makers:
        torch.manual_seed(3)
        try:
            graph, shape, network = maker()
            nir.write(FILES / f"{maker.__name__}.nir", graph)
        except (ImportError, TypeError, AttributeError, AssertionError) as error:
            sys.stdout.write(f"{maker.__name__}: {type(error).__name__}: {error}\n")
            continue
        shown = (np.random.default_rng(0).random((N_STEPS, *shape)) < 0.4).astype(np.float32)
        if network is None:
            continue
        resets = [getattr(m, n, None) for m in network.modules() for n in ("reset_mem", "reset", "reset_states")]
        for reset in filter(callable, resets):
            reset()
        with torch.no_grad():
            answered = np.array([network(torch.from_numpy(now)).detach().numpy() for now in shown])
        np.savez_compressed(FILES / f"{maker.__name__}.npz", shown=shown.astype(np.uint8), answered=answered)


def against_equations(path, dt, n_steps=20, seed=0):
    """Return how many spikes, or values, the circuit and a plain interpreter of NIR's equations differ in, and all."""
    graph = load_nir(path)
    circuit = circuit_from_nir(graph, dt=dt, if_input="charge")
    shape = np.ravel(next(n for n in graph.nodes.values() if isinstance(n, nir.Input)).input_type["input"])
    shown = (np.random.default_rng(seed).random((n_steps, circuit.inputs.size)) < 0.4) * 1.0
    names = [p.name for p in circuit.populations]
    stimuli = as_stimuli(shown[None], dims=("stimulus", "time", "unit"), time_step=dt)
    found = simulate(circuit, stimuli, engine="torch", monitors=Monitors(membrane=names), progress=False)
    for name in names:
        graph.nodes[name].metadata = {"shape": (circuit.population(name).size,)}
    expected = Interpreter(graph.nodes, graph.edges, names, shown.reshape(n_steps, *shape), dt=dt).run()
    wrong, total = 0, 0
    for p in circuit.populations:
        own = found.responses if p.sends_spikes else found.membrane_potential
        units = found.layer.values == p.name if p.sends_spikes else [str(u).startswith(f"{p.name}/") for u in
                                                                     found.membrane_unit.values]  # fmt: skip
        values = own.values[0][:, units]
        wrong += int((~np.isclose(values, expected[p.name], rtol=1e-9, atol=1e-12)).sum())
        total += int((expected[p.name] != 0).sum())
    return wrong, total


def try_folder(folder, dt):
    warnings.simplefilter("ignore")
    for path in sorted(Path(folder).glob("*.nir")):
        try:
            wrong, total = against_equations(path, dt)
            sys.stdout.write(f"{path.name}: runs, {wrong} of {total} spikes or values differ\n")
        except (InputError, OSError) as error:
            sys.stdout.write(f"{path.name}: refused: {error}\n")


if __name__ == "__main__":
    make() if sys.argv[1] == "make" else try_folder(sys.argv[2], float((sys.argv[3:] or [1e-4])[0]))
