"""Table 1 of the benchmarks: how much longer a recorded pass takes than a bare one, median of 9 pairs, one thread.

Before anything is recorded a network is shown five stimuli, to find axes and to see that each has an answer of its own:
a cost that few large pictures feel and many stimuli do not.

Run: python analyses/benchmarks/table1_recording_overhead.py [folder]
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from pairs import cpu_name, seconds
from torch import Tensor, nn

from neurosim import storage
from neurosim.networks import ConvNetSpecification, EfficientNetLite0Specification
from neurosim.networks.architecture import Specification, architecture_of, build_network
from neurosim.networks.recording import record_responses
from neurosim.runtime import kept_memory, limit_threads, provenance
from neurosim.schema import as_stimuli

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

CONV, EFFICIENT = ConvNetSpecification((32, 64)), EfficientNetLite0Specification("random")
CASES = [
    ("ConvNet, one layer", CONV, (1024, 32, 32), ["hidden"]),
    ("ConvNet, one layer", CONV, (256, 32, 32), ["hidden"]),
    ("ConvNet, all layers", CONV, (1024, 32, 32), None),
    ("EfficientNet-Lite0, one layer", EFFICIENT, (64, 3, 224, 224), ["block08"]),
    ("EfficientNet-Lite0, all layers", EFFICIENT, (64, 3, 224, 224), None),
    ("EfficientNet-Lite0, one layer", EFFICIENT, (16, 3, 224, 224), ["block08"]),
]


def answers(network: nn.Module, shown: Tensor) -> Tensor:
    """Return what the network answers, in batches as large as those that are recorded."""
    with torch.no_grad():
        return torch.cat([network(shown[start : start + 128]) for start in range(0, len(shown), 128)])


def share(specification: Specification, shape: tuple[int, ...], layers: list[str] | None) -> float:
    """Return how much longer recording takes, as a share of the bare pass; what is recorded is compared first."""
    torch.manual_seed(0)
    n_outputs = architecture_of(specification).n_outputs or 10
    network = build_network(specification, shape[1:], n_outputs).eval()
    shown = torch.rand(*shape)
    images = as_stimuli(shown.numpy())
    bare = partial(answers, network, shown)
    last = record_responses(network, images, layers=["output"], progress=False)
    np.testing.assert_allclose(last.values, bare().numpy(), rtol=1e-4, atol=1e-5)
    record = partial(record_responses, network, images, layers=layers, progress=False)
    with kept_memory():
        return float(np.median([seconds(record) / seconds(bare) for _ in range(9)])) - 1


def main(folder: Path) -> None:
    """Measure, and keep the numbers."""
    limit_threads(1)
    rows = [
        {"network": name, "stimuli": shape[0], "overhead": round(share(kind, shape, layers), 3)}
        for name, kind, shape, layers in CASES
    ]
    record = provenance()
    content = {"results": rows, "cpu": cpu_name(), "machine": record["machine"], "libraries": record["libraries"]}
    storage.write_json(folder / "table1_recording_overhead.json", content)


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder(Path(__file__).parent))
