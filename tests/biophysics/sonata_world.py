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
TYPES = {
    100: {"tau_m": 15.0, "t_ref": 2.0, "E_L": -68.0, "V_th": -52.0, "V_reset": -64.0, "I_e": 200.0},
    7: {"tau_m": 9.0, "t_ref": 1.0, "E_L": -70.0, "V_th": -50.0, "V_reset": -60.0, "I_e": 150.0},
}
TAUS = {"tau_syn_ex": 2.5, "tau_syn_in": 6.0}


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
    network, common = folder / "network", ({} if model == "iaf_psc_delta" else TAUS)
    own = {"dynamics_params/C_m": d["capacity"], "x": np.arange(12.0), "y": np.arange(12.0) ** 2}
    write_table(network / "cells_nodes.h5", "node", "cells", d["type"], {"node_id": np.arange(12)}, own)
    rows = ["node_type_id  model_type model_template dynamics_params ei"]
    for kind, numbers in TYPES.items():
        (folder / "components" / f"{kind}.json").write_text(json.dumps(numbers | common))
        rows.append(f'{kind} point_neuron nest:{model} {kind}.json "{"e" if kind == 100 else "i"}"')
    (network / "cells_node_types.csv").write_text("\n".join(rows) + "\n")
    write_table(network / "outer_nodes.h5", "node", "outer", [1] * VIRTUAL, {}, {})
    (network / "outer_node_types.csv").write_text("node_type_id model_type model_template\n1 virtual NULL\n")

    ends = {"source_node_id": d["source"], "target_node_id": d["target"]}
    names = [(key, "cells") for key in ends]
    own = {"syn_weight": SCALE[model] * d["size"] * np.where(d["source"] >= 8, -1, 1), "delay": d["delay"]}
    write_table(network / "inner_edges.h5", "edge", "inner", [5] * EDGES, ends, own, names)
    (network / "inner_edge_types.csv").write_text("edge_type_id model_template\n5 static_synapse\n")
    ends = {"source_node_id": d["outer_source"], "target_node_id": d["outer_target"]}
    names = [("source_node_id", "outer"), ("target_node_id", "cells")]
    write_table(network / "outer_edges.h5", "edge", "outer_inner", [5] * 30, ends, {"nsyns": [2] * 30}, names)
    text = f"edge_type_id syn_weight delay model_template\n5 {0.6 * SCALE[model]} 1.5 static_synapse\n"
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
