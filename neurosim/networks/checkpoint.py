"""Where a training stands, as one file that is written whole or not at all: weights, optimizer, schedule, random state.

Only arrays and JSON are kept (safetensors): nothing that is read can run code.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from neurosim import storage
from neurosim.networks.averaging import Averaged
from neurosim.networks.distributed import Share
from neurosim.networks.optimization import TrainingOptions
from neurosim.schema import InputError

STATE = "state"


@dataclass(frozen=True)
class Learner:
    """What a step of training changes."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    averaged: Averaged | None = None
    rule: nn.Module | None = None  # what a learning rule keeps


@dataclass
class Progress:
    """Where a training stands: epoch, batch in it, running sums of it, and what past epochs gave."""

    epoch: int = 0
    batch: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    history: dict[str, list[float]] = field(default_factory=dict)
    best: float = math.inf
    best_epoch: int = -1
    stopped: bool = False
    taken: str = ""  # digest of the last batch, by which it is known again

    def should_stop(self, options: TrainingOptions) -> bool:
        """Whether all epochs are done, or the patience is over."""
        waited = self.epoch - 1 - self.best_epoch
        return (
            self.stopped
            or self.epoch >= options.epochs
            or (options.patience is not None and self.epoch > 0 and waited >= options.patience)
        )


def save_checkpoint(
    path: Path,
    learner: Learner,
    about: dict[str, Any],
    best: dict[str, np.ndarray],
    random: dict[str, np.ndarray],
) -> None:
    """Write all that the next step depends on; `about` is JSON, `best` the weights to go back to, `random` states."""
    kept = learner.optimizer.state_dict()
    arrays = {f"network.{k}": _array(v) for k, v in learner.network.state_dict().items()}
    arrays |= {f"best.{k}": v for k, v in best.items()}
    if learner.averaged is not None:
        arrays |= {f"averaged.{k}": _array(v) for k, v in learner.averaged.values.items()}
    if learner.rule is not None:
        arrays |= {f"rule.{k}": _array(v) for k, v in learner.rule.state_dict().items()}
    plain: dict[str, dict[str, Any]] = {}
    for index, values in kept["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                arrays[f"optimizer.{index}.{name}"] = _array(value)
            else:
                plain.setdefault(str(index), {})[name] = value
    arrays |= random
    state = {
        "about": about,
        "optimizer": {"plain": plain, "param_groups": kept["param_groups"]},
        "schedule": learner.schedule.state_dict(),
        "scaler": learner.scaler.state_dict(),
    }
    state = json.loads(json.dumps(state, default=_plain))
    state["sha256"] = _digest(arrays, state)
    arrays[STATE] = np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)
    storage.write_weights(path, arrays)


def load_checkpoint(
    path: Path,
    learner: Learner,
    key: dict[str, Any],
    share: Share,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Put a checkpoint back in place; return its `about`, whose ``key`` has to be the one asked for, and its `best`.

    Raises
    ------
    StorageError : truncated or changed since it was written.
    InputError : a checkpoint of another network, task, objective, options, seed or number of processes.
    """
    arrays = storage.read_weights(path)
    state = _state(path, arrays)
    if state["about"].get("key") != json.loads(json.dumps(key, default=_plain)):
        theirs = state["about"].get("key", {})
        other = [k for k in key if theirs.get(k) != json.loads(json.dumps(key[k], default=_plain))]
        raise InputError(
            f"train: {path.name} is the checkpoint of another training (it differs in {', '.join(other)}); name "
            "another file, or remove it."
        )
    try:
        _put_back(arrays, state, learner, share)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        raise storage.StorageError(f"{path}: is no checkpoint of a training that could go on.") from error
    best = {k.removeprefix("best."): v for k, v in arrays.items() if k.startswith("best.")}
    return state["about"], best


def _put_back(arrays: dict[str, np.ndarray], state: dict[str, Any], learner: Learner, share: Share) -> None:
    """Put weights, moments, schedule and random numbers of a checkpoint in their places."""
    learner.network.load_state_dict(
        {k.removeprefix("network."): _tensor(v) for k, v in arrays.items() if k.startswith("network.")}
    )
    if learner.averaged is not None:
        for name, average in learner.averaged.values.items():
            average.copy_(_tensor(arrays[f"averaged.{name}"]))
    if learner.rule is not None:
        kept = {k.removeprefix("rule."): _tensor(v) for k, v in arrays.items() if k.startswith("rule.")}
        learner.rule.load_state_dict(kept)
    plain = state["optimizer"]["plain"]
    moments: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in plain.items()}
    for name, value in arrays.items():
        if name.startswith("optimizer."):
            _, index, key_ = name.split(".", 2)
            moments.setdefault(int(index), {})[key_] = _tensor(value)
    learner.optimizer.load_state_dict({"state": moments, "param_groups": state["optimizer"]["param_groups"]})
    learner.schedule.load_state_dict(state["schedule"])
    learner.scaler.load_state_dict(state["scaler"])
    torch.set_rng_state(_tensor(arrays[f"random.cpu.{share.rank}"]))
    if share.device.startswith("cuda") and f"random.cuda.{share.rank}" in arrays:
        torch.cuda.set_rng_state(_tensor(arrays[f"random.cuda.{share.rank}"]), share.device)


def random_state(share: Share) -> dict[str, np.ndarray]:
    """Return the states of torch's random numbers of every process; all of them have to ask together."""
    found = {f"random.cpu.{k}": _array(s) for k, s in enumerate(share.gathered(torch.get_rng_state()))}
    if share.device.startswith("cuda"):
        states = share.gathered(torch.cuda.get_rng_state(share.device))
        found |= {f"random.cuda.{k}": _array(s) for k, s in enumerate(states)}
    return found


def _state(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    try:
        state = json.loads(arrays.pop(STATE).tobytes().decode())
        intact = state.pop("sha256") == _digest(arrays, state) and isinstance(state["about"], dict)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise storage.StorageError(f"{path}: is no checkpoint of a training.") from error
    if not intact:
        raise storage.StorageError(
            f"{path}: the checkpoint was changed after it was written; remove it to start again."
        )
    answer: dict[str, Any] = state
    return answer


def _digest(arrays: dict[str, np.ndarray], state: dict[str, Any]) -> str:
    """Return the digest of everything: of the arrays, and of what is plain."""
    digest = hashlib.sha256(json.dumps(state, sort_keys=True).encode())
    for name in sorted(arrays):
        value = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {value.dtype} {value.shape}".encode() + value.tobytes())
    return digest.hexdigest()


def _array(tensor: torch.Tensor) -> np.ndarray:
    return np.array(tensor.detach().cpu().numpy())


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(array))


def _plain(value: object) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
