"""A small SONATA network written by hand, as other programs write it, and when NEST 3.10 says that its neurons fire.

Twelve leaky neurons of two types, each with its own capacity, driven by a current and by five trains of spikes;
excitation and inhibition with two delays, several synapses of one pair.
"""

import json

import h5py
import numpy as np

DT, DURATION = 1e-4, 0.1
NEURONS, VIRTUAL, EDGES = 12, 5, 70
SCALE = {"iaf_psc_alpha": 300.0, "iaf_psc_exp": 500.0, "iaf_psc_delta": 5.0}  # pA, pA, mV
CONDUCTING = {"iaf_cond_exp": 12.0, "iaf_cond_alpha": 8.0, "aeif_cond_exp": 15.0, "aeif_cond_alpha": 8.0}  # nS
GLIF = {"glif_psc": 900.0}  # pA
ADAPTIVE = {"aeif_psc_exp": 800.0, "aeif_psc_alpha": 400.0}  # pA
TYPES = {
    100: {"tau_m": 15.0, "t_ref": 2.0, "E_L": -68.0, "V_th": -52.0, "V_reset": -64.0, "I_e": 200.0, "V_m": -60.0},
    7: {"tau_m": 9.0, "t_ref": 1.0, "E_L": -70.0, "V_th": -50.0, "V_reset": -60.0, "I_e": 150.0},
}
TAUS = {"tau_syn_ex": 2.5, "tau_syn_in": 6.0}
MORE = {  # than TYPES say, of neurons whose leak is a conductance
    "iaf_cond": {100: {"g_L": 17.0, "E_in": -80.0}, 7: {"g_L": 25.0, "E_in": -80.0}},
    "glif": {100: {"g": 17.0, "tau_syn": [2.5]}, 7: {"g": 25.0, "tau_syn": [2.5], "V_m": -70.0}},
    "aeif": {
        100: {"g_L": 17.0, "a": 3.0, "b": 40.0, "tau_w": 90.0, "Delta_T": 2.5, "V_peak": -30.0, "I_e": 300.0},
        7: {"g_L": 25.0, "a": 0.0, "b": 10.0, "Delta_T": 1.0, "V_peak": -40.0, "I_e": 450.0},
    },
}


def numbers_of(model):
    """The numbers of both types of neurons, as NEST names them."""
    common = {} if model in ("iaf_psc_delta", "glif_psc") else TAUS
    more = next((m for family, m in MORE.items() if model.startswith(family)), {})
    found = {kind: TYPES[kind] | common | more.get(kind, {}) for kind in TYPES}
    less = {"glif_psc": ("tau_m", "I_e")}.get(model, ("tau_m",) if more else ())
    return {k: {n: v for n, v in numbers.items() if n not in less} for k, numbers in found.items()}


def drawn():
    """Everything that differs between nodes and between edges."""
    rng = np.random.RandomState(3)  # whose numbers never change
    return {
        "capacity": rng.uniform(150, 350, NEURONS),
        "type": np.array([100, 7])[(np.arange(NEURONS) >= 8).astype(int)],
        "source": rng.randint(0, NEURONS, EDGES),
        "target": rng.randint(0, NEURONS, EDGES),
        "size": rng.uniform(0.2, 1.0, EDGES),
        "delay": np.array([1.0, 1.7])[rng.randint(0, 2, EDGES)],
        "outer_source": rng.randint(0, VIRTUAL, 30),
        "outer_target": rng.randint(0, NEURONS, 30),
        "spikes": np.sort([1 + rng.permutation(950)[:20] for _ in range(VIRTUAL)], axis=1),
    }


def write_table(path, kind, name, types, columns, own, ends=()):
    with h5py.File(path, "w") as file:
        group = file.create_group(f"{kind}s/{name}")
        group[f"{kind}_type_id"] = np.asarray(types, np.uint64)
        group[f"{kind}_group_id"] = np.zeros(len(types), np.uint16)
        group[f"{kind}_group_index"] = np.arange(len(types), dtype=np.uint32)
        group.create_group("0")
        for key, values in columns.items():
            group[key] = values
        for key, values in own.items():
            group[f"0/{key}"] = values
        for key, population in ends:
            group[key].attrs["node_population"] = population


def write_world(folder, model):
    """Write circuit_config.json, simulation_config.json and all that they name."""
    d = drawn()
    for name in ("network", "components"):
        (folder / name).mkdir(parents=True)
    network, scale = folder / "network", (SCALE | CONDUCTING | ADAPTIVE | GLIF)[model]
    own = {"dynamics_params/C_m": d["capacity"], "x": np.arange(12.0), "y": np.arange(12.0) ** 2}
    write_table(network / "cells_nodes.h5", "node", "cells", d["type"], {"node_id": np.arange(12)}, own)
    rows = ["node_type_id  model_type model_template dynamics_params ei"]
    for kind, numbers in numbers_of(model).items():
        (folder / "components" / f"{kind}.json").write_text(json.dumps(numbers))
        rows.append(f'{kind} point_neuron nest:{model} {kind}.json "{"e" if kind == 100 else "i"}"')
    (network / "cells_node_types.csv").write_text("\n".join(rows) + "\n")
    write_table(network / "outer_nodes.h5", "node", "outer", [1] * VIRTUAL, {}, {})
    (network / "outer_node_types.csv").write_text("node_type_id model_type model_template\n1 virtual NULL\n")

    ends = {"source_node_id": d["source"], "target_node_id": d["target"]}
    names = [(key, "cells") for key in ends]
    own = {"syn_weight": scale * d["size"] * np.where(d["source"] >= 8, -1, 1), "delay": d["delay"]}
    write_table(network / "inner_edges.h5", "edge", "inner", [5] * EDGES, ends, own, names)
    (network / "inner_edge_types.csv").write_text("edge_type_id model_template\n5 static_synapse\n")
    ends = {"source_node_id": d["outer_source"], "target_node_id": d["outer_target"]}
    names = [("source_node_id", "outer"), ("target_node_id", "cells")]
    write_table(network / "outer_edges.h5", "edge", "outer_inner", [5] * 30, ends, {"nsyns": [2] * 30}, names)
    text = f"edge_type_id syn_weight delay model_template\n5 {0.6 * scale} 1.5 static_synapse\n"
    (network / "outer_edge_types.csv").write_text(text)
    with h5py.File(folder / "spikes.h5", "w") as file:
        file["spikes/outer/node_ids"] = np.repeat(np.arange(VIRTUAL), 20)
        file["spikes/outer/timestamps"] = d["spikes"].ravel() * (DT * 1e3)
    config = {
        "manifest": {"$BASE": ".", "$NET": "${BASE}/network"},
        "components": {"point_neuron_models_dir": "$BASE/components", "synaptic_models_dir": "$BASE/components"},
        "networks": {
            kind: [
                {f"{kind}_file": f"$NET/{n}_{kind}.h5", f"{kind[:-1]}_types_file": f"$NET/{n}_{kind[:-1]}_types.csv"}
                for n in names
            ]
            for kind, names in (("nodes", ("cells", "outer")), ("edges", ("inner", "outer")))
        },
    }
    (folder / "circuit_config.json").write_text(json.dumps(config))
    simulation = {"run": {"tstop": 100.0, "dt": DT * 1e3}, "network": "./circuit_config.json"}
    (folder / "simulation_config.json").write_text(json.dumps(simulation))
    return folder / "simulation_config.json"


def reference(model, dt, duration, substeps=4):
    """Return the steps after which each neuron fires, by Runge and Kutta in parts of a step, as NEST's equations say.

    Leaky neurons look for their threshold at the end of a step, adaptive ones at the end of each part, as there.
    """
    d, numbers, steps = drawn(), numbers_of(model), round(duration / dt)
    usual = {
        "V_m": -70.6 if model.startswith("aeif") else -70.0,
        "E_ex": 0.0,
        "E_in": -85.0,
        "tau_w": 144.0,
        "a": 0.0,
        "b": 0.0,
        "I_e": 0.0,
    }
    p = {k: np.array([(usual | numbers[kind])[k] for kind in d["type"]]) for k in usual | numbers[7]}
    p.setdefault("g_L", p.get("g"))
    is_adaptive, is_alpha, h = model.startswith("aeif"), model.endswith(("alpha", "glif_psc")), dt * 1e3 / substeps
    taus = np.array([[TAUS["tau_syn_ex"]], [TAUS["tau_syn_ex" if model in GLIF else "tau_syn_in"]]])
    arriving = Arrivals(d, (CONDUCTING | ADAPTIVE | GLIF)[model], dt, steps)

    def change(s, held):
        v, w, level, rising = s[0], s[1], s[2:4], s[4:6]
        v = np.where(held, p["V_reset"], np.minimum(v, p["V_peak"]) if is_adaptive else v)
        pull = [p["E_ex"] - v, p["E_in"] - v] if "cond" in model else [1.0, -1.0]
        current = p["I_e"] - p["g_L"] * (v - p["E_L"]) + level[0] * pull[0] + level[1] * pull[1] - w
        if is_adaptive:
            current = current + p["g_L"] * p["Delta_T"] * np.exp((v - p["V_th"]) / p["Delta_T"])
        moving = np.where(held, 0.0, current / d["capacity"])
        adapting = (p["a"] * (v - p["E_L"]) - w) / p["tau_w"] if is_adaptive else 0 * v
        return np.concatenate([[moving, adapting], (rising if is_alpha else 0.0) - level / taus, -rising / taus])

    s, wait = np.zeros((6, NEURONS)), np.zeros(NEURONS, int)
    s[0] = p["V_m"]
    refractory, fired = np.rint(p["t_ref"] / (dt * 1e3)).astype(int), [[] for _ in range(NEURONS)]
    top = p["V_peak"] if is_adaptive else p["V_th"]
    for step in range(1, steps + 1):
        held, sent = wait > 0, np.zeros(NEURONS, bool)
        for part in range(substeps):
            k1 = change(s, held)
            k2 = change(s + h / 2 * k1, held)
            k3 = change(s + h / 2 * k2, held)
            s = s + h / 6 * (k1 + 2 * k2 + 2 * k3 + change(s + h * k3, held))
            new = (s[0] >= top) & ~held & (is_adaptive | (part == substeps - 1))
            s[0][new] = p["V_reset"][new]
            s[1][new] += p["b"][new] if is_adaptive else 0.0
            held, sent = held | new, sent | new
        wait = np.where(sent, refractory, np.maximum(wait - 1, 0))
        for i in np.flatnonzero(sent):
            fired[i].append(step)
            arriving(int(i), step)
        s[slice(4, 6) if is_alpha else slice(2, 4)] += arriving.at(step) * (np.e / taus if is_alpha else 1.0)
    return fired


class Arrivals:
    """What arrives at every neuron by step and sign; a spike that is sent puts what it sends where it arrives."""

    def __init__(self, d, scale, dt, steps):
        self.d, self.scale, self.steps = d, scale, steps
        self.delays = np.rint(d["delay"] * 1e-3 / dt).astype(int)
        self.table = np.zeros((steps + 2 + self.delays.max(), 2, NEURONS))
        late, fine = round(1.5e-3 / dt), round(DT / dt)
        for a, b in zip(d["outer_source"], d["outer_target"], strict=True):
            times = d["spikes"][a] * fine + late
            np.add.at(self.table, (times[times < len(self.table)], 0, b), 2 * 0.6 * scale)

    def __call__(self, source, step):
        rows = np.flatnonzero(self.d["source"] == source)
        places = (step + self.delays[rows], int(source >= 8), self.d["target"][rows])
        np.add.at(self.table, places, self.scale * self.d["size"][rows])

    def at(self, step):
        return self.table[step]
