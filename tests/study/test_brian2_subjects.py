"""Scripts of Brian2 users as subjects of a study: a magic network with run(), store and restore, C++ standalone."""

import textwrap

import numpy as np
import pytest

import neurosim as ns
from neurosim import storage
from neurosim.schema import InputError
from neurosim.study import Brian2NetworkSubject, run_study
from neurosim.study.functions import code_of, imported

from .conftest import neurosim

SCRIPTS = '''
    """Three networks of leaky cells, as users of Brian2 write them."""
    from brian2 import *
    import numpy as np
    import neurosim as ns

    prefs.codegen.target = "numpy"
    TAU = 10*ms
    EQS = "dv/dt = (2.5*drive - v)/TAU : 1\\ndrive : 1"


    def magic(stimulus):
        cells = NeuronGroup(64, EQS, threshold="v > 1", reset="v = 0", method="euler")
        cells.drive = stimulus.values.ravel()
        E = SpikeMonitor(cells)
        run(30*ms)
        return locals()


    def stored():
        cells = NeuronGroup(64, EQS, threshold="v > 1", reset="v = 0", method="euler", name="cells")
        return Network(cells, SpikeMonitor(cells, name="E"), StateMonitor(cells, "v", record=True, name="V"))


    def show(network, stimulus):
        network["cells"].drive = stimulus.values.ravel()


    def folded(n_copies):
        cells = NeuronGroup(64 * n_copies, EQS, threshold="v > 1", reset="v = 0", method="euler", name="cells")
        return Network(cells, SpikeMonitor(cells, name="E"))


    def show_all(network, stimuli):
        network["cells"].drive = stimuli.values.ravel()


    def standalone():
        set_device("cpp_standalone", build_on_run=False)
        cells = NeuronGroup(64, EQS, threshold="v > 1", reset="v = 0", method="euler")
        E, V = SpikeMonitor(cells), StateMonitor(cells, "v", record=True)
        run(30*ms)
        return locals()


    def arguments(names, stimulus):
        return {names["cells"].drive: stimulus.values.ravel()}


    how = {"kind": "brian2_network", "time_bin": 0.01}
    study = ns.study.Study(
        name="scripts",
        seed=4,
        stimuli={"source": "digits", "n_per_category": 1},
        subjects={
            "magic": how | {"function": magic},
            "stored": how | {"function": stored, "present": show, "duration": 0.03},
            "folded": how | {"function": folded, "present": show_all, "duration": 0.03, "copies": 4},
            "standalone": how | {"function": standalone, "present": arguments},
        },
        brains={"area": {"kind": "synthetic", "tuning": {"pixels": 1.0}, "n_subjects": 3, "n_units": 8}},
        analyses={"rsa": {"kind": "rsa"}},
    )
'''


@pytest.fixture
def scripts(tmp_path):
    path = tmp_path / "scripts.py"
    path.write_text(textwrap.dedent(SCRIPTS))
    return path


def test_three_scripts_are_subjects_and_answer_alike(scripts, tmp_path):
    done = neurosim("run", scripts, "-o", "out/scripts", "-j", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = tmp_path / "out" / "scripts" / "results"
    rdms = {
        n: storage.read_dataset(results / f"rdms_{n}" / "rdms.nc") for n in ("magic", "stored", "folded", "standalone")
    }
    assert rdms["stored"]["layer"].values.tolist() == ["E", "V.v"]
    images = storage.read_array(results / "stimuli" / "stimuli.nc").values.reshape(10, -1)
    wanted = 1 - np.corrcoef(spikes_by_hand(images))
    for name, found in rdms.items():
        np.testing.assert_allclose(found["rdm"].sel(layer="E").values, wanted, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(*(rdms[n]["rdm"].sel(layer="V.v").values for n in ("stored", "standalone")), atol=1e-9)
    assert "Stimberg" in (tmp_path / "out" / "scripts" / "report.html").read_text()


def spikes_by_hand(images, n_steps=300):
    """Forward Euler of the three scripts: spikes (stimulus, unit)."""
    v, spikes = np.zeros(images.shape), np.zeros(images.shape)
    for _ in range(n_steps):
        v = v + (2.5 * images - v) / 100
        spikes += v > 1
        v[v > 1] = 0
    return spikes


def test_a_script_is_compared_in_one_call(scripts, tmp_path):
    with imported(scripts, "stored") as stored:
        row = {"kind": "brian2_network", "function": stored, "present": stored.__globals__["show"], "duration": 0.03}
    images = ns.load_digits()[:8]
    area = np.random.default_rng(0).normal(size=(8, 5))
    analyses = {"rsa": {"kind": "rsa", "estimate": "bootstrap", "n_bootstrap": 100}}
    outcome = ns.compare_subjects(
        images, {"mine": row | {"layers": ["E"]}}, {"area": area}, out=tmp_path / "out", analyses=analyses, jobs=1
    )
    assert outcome.scores["rsa:area"].sizes["model"] == 1
    wanted = 1 - np.corrcoef(spikes_by_hand(images.values.reshape(8, -1)))
    np.testing.assert_allclose(outcome.rdms["mine"]["rdm"].sel(layer="E").values, wanted, atol=1e-9)


WRONG = {
    "trials of a compiled program": (
        {"function": "standalone", "present": "arguments", "n_trials": 2},
        r"^subjects.mine: without duration= a compiled network is meant, which draws the same numbers in every trial",
    ),
    "trials of a script": (
        {"function": "magic", "n_trials": 2}, "function that runs its network draws the same numbers in every trial"
    ),
    "nothing shows a stimulus": ({"function": "stored", "duration": 0.03}, "nothing shows a stimulus to the network"),
    "copies of one network": (
        {"function": "stored", "present": "show", "duration": 0.03, "copies": 4}, "is for a function of n_copies"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_functions_that_cannot_do_what_is_asked_are_refused_before_any_of_them_is_called(scripts, tmp_path, what):
    row, said = WRONG[what]
    text = scripts.read_text().partition("how = {")[0]
    scripts.write_text(text + f"\nraise RuntimeError('run')\nmine = {row}\n")
    study = ns.study.Study(
        name="wrong",
        stimuli={"source": "digits", "n_per_category": 1},
        subjects={"mine": {"kind": "brian2_network", "path": str(scripts)} | row},
        brains={"area": {"kind": "synthetic", "tuning": {"pixels": 1.0}}},
    )
    with pytest.raises(InputError, match=said) as caught:
        run_study(study, out=tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_a_function_and_the_path_of_its_file_may_be_given_in_any_spelling(scripts, tmp_path, monkeypatch):
    with imported(scripts, "stored") as stored:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "inside").mkdir()
        for path in ("scripts.py", "inside/../scripts.py", scripts):
            assert Brian2NetworkSubject(path=path, function=stored, present="show").path == scripts.resolve()


def test_the_key_holds_the_source_of_both_functions(scripts):
    row = Brian2NetworkSubject(path=scripts, function="stored", present="show", duration=0.03)
    before = code_of(row, scripts.parent)
    scripts.write_text(scripts.read_text().replace("def show(network, stimulus):", "def show(network, stimulus, rng):"))
    changed = code_of(row, scripts.parent)
    assert {k for k in before[0]["source"] if before[0]["source"][k] != changed[0]["source"][k]} == {"scripts.py:show"}
    scripts.write_text(scripts.read_text().replace("TAU = 10*ms", "TAU = 20*ms"))
    assert code_of(row, scripts.parent) != changed


def test_a_file_names_no_brian2_code_and_functions_stand_in_one_file(small_study, scripts):
    text = small_study.read_text()
    row = 'kind = "brian2_network"\nfunction = "stored"\npath = "scripts.py"'
    small_study.write_text(text.replace('kind = "responses"\npath = "near.nc"', row))
    with pytest.raises(InputError, match=r"subjects\.near is a function, which no file may name"):
        run_study(small_study)
    with pytest.raises(InputError, match="function and present of one file are asked"):
        Brian2NetworkSubject(path=scripts, function=spikes_by_hand)
    with pytest.raises(InputError, match="does not stand at the top of a Python file"):
        Brian2NetworkSubject(path=scripts, function=lambda: None)
