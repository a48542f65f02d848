"""Functions of a user's own in a study: subjects, analyses and figures that run as cached steps."""

import json
import shutil
import sys
import textwrap

import numpy as np
import pytest
import xarray as xr

from neurosim import storage
from neurosim.schema import InputError, as_stimuli
from neurosim.study import Study, run_study
from neurosim.study.engine.step import Job
from neurosim.study.folder import MANIFEST
from neurosim.study.functions import source_of
from neurosim.study.subjects.function import called_once
from neurosim.study.verify import check_results, rerun_results

from .conftest import made_once, neurosim

OWN = """
    import matplotlib
    from matplotlib.figure import Figure
    import numpy as np
    import xarray as xr
    import neurosim as ns
    from helpers import layers

    SCALE = 2.0
    UNRELATED = 3


    def my_network():
        import torch
        return torch.nn.Sequential(torch.nn.Flatten(), *layers.made(64, 5))


    def my_values(stimuli, rng):
        return ns.as_responses(stimuli.values.reshape(len(stimuli), -1) * SCALE + rng.normal(size=64), stimuli=stimuli)


    def my_spikes(stimulus):
        import brian2 as b2
        numpy = {"codeobj_class": b2.NumpyCodeObject}
        group = b2.NeuronGroup(64, "drive : 1", threshold="drive > 0.5", name="cells", **numpy)
        group.drive = stimulus.values.ravel()
        network = b2.Network(group, b2.SpikeMonitor(group, name="spikes", **numpy))
        network.run(0.3 * b2.ms)
        return network


    def my_difference(rdms, brain_rdms):
        print("printed by a user's function")
        return abs(rdms.mean() - brain_rdms.mean())


    def my_bars(my_difference):
        figure = Figure()
        figure.subplots().bar(range(my_difference.sizes["of"]), my_difference["rdm"])
        return figure


    study = ns.study.Study(
        name="own",
        seed=4,
        stimuli={"source": "digits", "n_per_category": 1},
        subjects={"net": my_network, "values": my_values, "spikes": my_spikes},
        brains={"area": {"kind": "synthetic", "tuning": {"pixels": 1.0}, "n_subjects": 3, "n_units": 8}},
        analyses={"rsa": {"kind": "rsa"}, "my_difference": my_difference},
        figures={"bars": my_bars},
    )

    if __name__ == "__main__":
        print(ns.run_study(study, out="out/own").folder)
"""
HELPER = "import torch\ndef made(n, m):\n    torch.manual_seed(0)\n    return torch.nn.Linear(n, m), torch.nn.ReLU()\n"


@pytest.fixture(autouse=True)
def _imports_of_users_are_forgotten():
    yield
    for name in [n for n in sys.modules if n.partition(".")[0] in ("helpers", "neurosim_user_own")]:
        del sys.modules[name]


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(textwrap.dedent(OWN))
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "layers.py").write_text(HELPER)
    return tmp_path / "own.py"


def test_functions_are_subjects_analyses_and_figures_and_run_once(own, tmp_path):
    done = neurosim("run", own, "-o", "out/own", "-j", 1, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = tmp_path / "out" / "own" / "results"
    stimuli = storage.read_array(results / "stimuli" / "stimuli.nc").values.reshape(10, -1)
    spikes = storage.read_dataset(results / "rdms_spikes" / "rdms.nc")
    assert spikes["layer"].values.tolist() == ["spikes"]
    counts = 3.0 * (stimuli > 0.5)
    wanted = 1 - np.corrcoef(counts)
    np.testing.assert_allclose(spikes["rdm"][0].values, wanted, atol=1e-9)
    rdms = storage.read_dataset(results / "rdms_net" / "rdms.nc")
    brain = storage.read_dataset(results / "brain_area" / "rdms.nc")["rdm"]
    found = storage.read_dataset(results / "my_difference_net.area" / "result.nc")
    assert float(found["rdm"]) == pytest.approx(abs(float(rdms["rdm"].mean() - brain.mean())))
    assert (tmp_path / "out" / "own" / "figures" / "bars.svg").is_file()
    numbers = json.loads((tmp_path / "out" / "own" / "numbers.json").read_text())
    assert (tmp_path / "out" / "own" / "inputs" / "helpers" / "layers.py").read_text() == HELPER
    assert "my_difference, by my_difference" in (tmp_path / "out" / "own" / "report.html").read_text()
    assert set(numbers["my_difference"]) == {"net:area", "values:area", "spikes:area"}
    again = json.loads(neurosim("run", own, "-o", "out/own", "-j", 1, "--json", cwd=tmp_path).stdout)
    assert again["n_hits"] == again["n_steps"]
    own.write_text(own.read_text().replace("UNRELATED = 3", "UNRELATED = 4").replace("SCALE = 2.0", "SCALE = 3.0"))
    changed = json.loads(neurosim("check", own, "-o", "out/own", "--json", cwd=tmp_path).stdout)
    assert {row["reads"] is not None and row["step"] for row in changed if row["state"] == "miss"} == {"answers:values"}
    (tmp_path / "helpers" / "layers.py").write_text(HELPER + "# more\n")
    changed = json.loads(neurosim("check", own, "-o", "out/own", "--json", cwd=tmp_path).stdout)
    assert {row["step"] for row in changed if row["state"] == "miss"} == {"answers:values", "answers:net"}


def test_a_key_holds_what_a_function_names_and_nothing_else(own):
    before = {name: source_of(own, name) for name in ("my_network", "my_values", "my_spikes", "my_bars")}
    assert set(before["my_network"]) == {"own.py:my_network", "helpers/layers.py"}
    assert set(before["my_values"]) == {"own.py:my_values"}
    own.write_text(own.read_text().replace("SCALE = 2.0", "SCALE = 2.5"))
    assert {n for n, v in before.items() if source_of(own, n) != v} == {"my_values"}
    own.write_text("\n# a remark\n" + own.read_text())
    assert source_of(own, "my_spikes") == before["my_spikes"]


def test_what_no_other_process_could_find_is_refused_in_one_line():
    rows = {"stimuli": {"source": "digits"}, "brains": {"b": {"kind": "synthetic", "tuning": {"pixels": 1.0}}}}

    def inside():
        return None

    for function in (inside, lambda: None, np.mean, len):
        with pytest.raises(InputError, match="does not stand at the top of a Python file") as caught:
            Study(name="a", subjects={"f": function}, **rows)
        assert "\n" not in str(caught.value)


FOUND_BY_RUNNING = {"asks for 'rgn'": "my_values", "found a int": "my_spikes"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("def my_difference(rdms,", "def my_difference(rmds,", "asks for 'rmds'; it may ask for stimuli, responses"),
        ("def my_bars(my_difference)", "def my_bars(my_diference)", "asks for 'my_diference'; analyses: rsa"),
        ("def my_values(stimuli, rng)", "def my_values(stimuli, rgn)", "asks for 'rgn'"),
        ("return network", "return 3", "found a int"),
        ('if __name__ == "__main__":', "if True:", "put it under if __name__"),
        ("SCALE = 2.0", "SCALE = (", "line 9: SyntaxError"),
        ("SCALE = 2.0", "SCALE = 1 / 0", "own.py, line 9: ZeroDivisionError: division by zero"),
        ("study = ns.study.Study(", "x = dict(", "one Study at its top asked, found 0"),
    ],
)
def test_mistakes_are_one_line(own, tmp_path, old, new, words):
    assert old in own.read_text()
    own.write_text(own.read_text().replace(old, new, 1))
    if words in FOUND_BY_RUNNING:  # nobody else is asked, whose libraries take seconds to load
        subjects, only = (
            'subjects={"net": my_network, "values": my_values, "spikes": my_spikes}',
            FOUND_BY_RUNNING[words],
        )
        assert subjects in own.read_text()
        own.write_text(own.read_text().replace(subjects, f"subjects={{'one': {only}}}"))
    done = neurosim("run", own, "-o", "out/own", "-j", 1, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_file_names_no_code(small_study):
    text = small_study.read_text()
    small_study.write_text(text.replace('kind = "responses"\npath = "near.nc"', 'kind = "function"\npath = "a.py"'))
    with pytest.raises(InputError, match=r"subjects\.near is a function, which no file may name; run the Python file"):
        run_study(small_study)


@pytest.mark.parametrize("kind", ["", 'kind = "function"\n'])
def test_a_file_names_no_code_for_a_figure_either(small_study, kind):
    (small_study.parent / "evil.py").write_text("from pathlib import Path\nPath('touched').touch()\ndef f(rsa): ...\n")
    row = f'\n[figures.mine]\n{kind}path = "evil.py"\nfunction = "f"\n'
    small_study.write_text(small_study.read_text() + row)
    with pytest.raises(InputError, match=r"figures\.mine is a function, which no file may name; run the Python file"):
        run_study(small_study)


def test_a_circuit_that_cannot_be_shown_the_stimuli_is_refused_by_the_name_of_its_subject(tmp_path):
    file = tmp_path / "built.py"
    file.write_text(
        textwrap.dedent("""
            import numpy as np
            from neurosim.biophysics.circuit import Circuit
            from neurosim.biophysics.inputs import Input
            from neurosim.biophysics.populations import Population
            from neurosim.biophysics.projections import Projection
            from neurosim.parameters import DiscreteLIFParameters

            def build():
                cells = Population("a", 1, DiscreteLIFParameters())
                return Circuit("twin", Input(2), (cells,), (Projection("input", "a", np.ones((2, 1))),), 1e-3, 1e-3)
        """)
    )
    row = {"name": "circ", "seed": 0, "function": "build", "layers": None}
    job = Job({"row": row}, {}, {"path": file}, tmp_path)
    with pytest.raises(InputError, match=r"^circ, the circuit of its function: twin takes spike trains"):
        list(called_once(job, as_stimuli(np.zeros((3, 2)))))


def test_results_of_functions_are_datasets_arrays_or_numbers():
    from neurosim.study.analyses.function import _as_dataset

    assert float(_as_dataset(np.float64(2), "a")["a"]) == 2
    assert list(_as_dataset(xr.DataArray([1.0], dims="x"), "a").data_vars) == ["a"]
    with pytest.raises(InputError, match="returned a str; a Dataset, array or number is asked"):
        _as_dataset("x", "a")


SMALL = """
    import numpy as np
    import neurosim as ns
    from helpers import numbers


    def mine(stimuli):
        return ns.as_responses(stimuli.values.reshape(len(stimuli), -1) ** numbers.POWER, stimuli=stimuli)


    def other(stimuli, rng):
        return ns.as_responses(rng.normal(size=(len(stimuli), 9)), stimuli=stimuli)


    def spread(rdms):
        return float(rdms.std())


    study = ns.study.Study(
        name="own",
        stimuli={"source": "digits", "n_per_category": 1},
        subjects={"mine": ns.study.FunctionSubject(path="own.py", function="mine"), "other": other},
        brains={"area": {"kind": "synthetic", "tuning": {"pixels": 1.0}, "n_subjects": 3, "n_units": 8}},
        analyses={"spread": spread},
    )
"""


@pytest.fixture
def small(tmp_path, tmp_path_factory):
    """Return the results of a study of functions whose files are gone; it was run from another folder than its own."""

    def make(root):
        place = root / "written"
        (place / "helpers").mkdir(parents=True)
        (place / "own.py").write_text(textwrap.dedent(SMALL))
        (place / "helpers" / "numbers.py").write_text("POWER = 2\n")
        run_study(place / "own.py", out=root / "out" / "own", jobs=1)
        shutil.rmtree(place)

    shutil.copytree(made_once(tmp_path_factory, "functions", make) / "out", tmp_path / "out")
    return tmp_path / "out" / "own"


def test_results_of_functions_are_verified_where_their_code_is_trusted(small, tmp_path):
    refused = neurosim("verify", "out/own", "--rerun", cwd=tmp_path)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "runs functions of inputs/own.py" in refused.stderr and "--trust-code" in refused.stderr
    scores = small / "results" / "spread_other" / "result.nc"
    forged = storage.read_dataset(scores)
    forged["spread"] += 0.1
    storage.write_dataset(scores, forged)
    (small / "inputs" / "helpers" / "numbers.py").write_text("POWER = 3\n")
    storage.write_manifest(small, MANIFEST)
    check_results(small)
    done = neurosim("verify", "out/own", "--rerun", "--trust-code", "--json", "-j1", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    found = {v["step"]: v["verdict"] for v in json.loads(done.stdout)["steps"]}
    differing = {"spread:other", "answers:mine", "rdms:mine", "spread:mine"}
    assert {step for step in found if ":" in step and found[step] == "differs"} - {"figure:rdms"} == differing
    assert {found[name] for name in ("stimuli", "answers:other", "rdms:other", "study.toml")} == {"bitwise"}


def test_trusted_code_must_lie_in_the_results_folder(small, tmp_path):
    (tmp_path / "own.py").write_text("")
    written = small / "resolved.json"
    before = written.read_text()
    for path in ("../../own.py", str(tmp_path / "own.py")):
        written.write_text(before.replace('"inputs/own.py"', json.dumps(path)))
        with pytest.raises(InputError, match="leads out of its folder"):
            rerun_results(small, trust_code=True)
    shutil.copy(small / "inputs" / "own.py", small / "own.py")
    written.write_text(before.replace('"inputs/own.py"', '"own.py"'))
    with pytest.raises(InputError, match="which is not among its inputs"):
        rerun_results(small, trust_code=True)
