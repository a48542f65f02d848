"""The main job from nothing, as a new user runs it, and the template that a new study starts from."""

import json
import shutil

import pytest

from neurosim import storage

from .conftest import forked, made_once, neurosim, script

pytestmark = pytest.mark.timeout(1200)  # a minute of work, which a busy machine stretches


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run the demo once for all test processes; return its results folder."""

    def make(folder):
        done = forked("demo", "--quiet", "--out", "out", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert "out/digits/report.html" in done.stdout

    return made_once(tmp_path_factory, "demo", make) / "out" / "digits"


def keys_of(folder):
    """Return the key of each step of a results folder by its name."""
    return {step["name"]: step["key"] for step in storage.read_json(folder / "provenance.json")["steps"]}


def test_every_network_learned_and_the_twin_is_exact(demo):
    numbers = json.loads((demo / "numbers.json").read_text())
    for name in ("cnn", "rnn", "spiking_cnn", "spiking_mlp"):
        assert numbers["accuracy"][name] > 0.9
    layers = numbers["differing_spikes"]["twin"]
    assert [layer["n_differing"] for layer in layers.values()] == [0, 0, 0]
    assert sum(layer["n_spikes"] for layer in layers.values()) > 50_000
    assert numbers["accuracy"]["twin"] == numbers["accuracy_of_network_on_the_same_spikes"]["twin"]
    assert numbers["accuracy"]["conductance"] > numbers["accuracy"]["conductance (uncalibrated)"]


def test_the_twin_has_the_geometry_of_the_network(demo):
    relations = storage.read_dataset(demo / "results" / "relations" / "relations.nc")
    for layer in ("hidden1", "hidden2", "output"):
        pair = relations["score"].sel(model=f"twin/{layer}", model_other=f"spiking_mlp/{layer}")
        assert float(pair) == pytest.approx(1)


def test_the_known_truth_is_recovered(demo):
    """The early area is tuned to Gabor energy, the late one to prototypes: shallow and deep layers win one each."""
    early, late = (
        storage.read_dataset(demo / "results" / f"rsa_{b}" / "scores.nc").set_coords("group")["score"]
        for b in ("early", "late")
    )
    assert float(early.sel(model="cnn/conv1")) > float(early.sel(model="cnn/readout"))
    assert float(late.sel(model="cnn/readout")) > float(late.sel(model="cnn/conv1"))
    assert float(early.sel(model="gabor_adex/excitatory")) > float(early.sel(model="cnn/readout"))


def test_the_report_says_synthetic_and_holds_every_figure(demo):
    page = (demo / "report.html").read_text()
    assert "Synthetic brain." in page
    for name in ("stimuli", "raster_twin", "rdms", "scores_early", "time_late", "subjects"):
        assert f'id="figure-{name}"' in page
    assert 'src="http' not in page and "<link" not in page


def test_nothing_runs_twice(demo):
    again = neurosim("run", "digits", "-o", str(demo), "--json", cwd=demo.parent)
    outcome = json.loads(again.stdout)
    assert outcome["n_hits"] == outcome["n_steps"] == 32


def test_a_new_study_runs_both_ways_and_trains_nothing_that_a_store_has(demo, tmp_path):
    """It is given the results of the demo, whose networks and seed are its own."""
    assert neurosim("new", "mine", cwd=tmp_path).returncode == 0
    results = tmp_path / "mine" / "results"
    shutil.copytree(demo.parent / ".steps", results / ".steps")
    done = script("compare.py", cwd=tmp_path / "mine")
    assert done.returncode == 0, done.stderr
    assert (results / "mine" / "report.html").is_file()
    assert neurosim("run", "study.toml", "-j", 1, cwd=tmp_path / "mine").returncode == 0
    keys = [keys_of(folder) for folder in (demo, results / "mine", results / "my_study")]
    for each, names in zip(keys[1:], (["train:cnn"], ["train:cnn", "train:spiking_mlp"]), strict=True):
        assert [name for name in each if name.startswith("train:")] == names
        assert all(each[name] == keys[0][name] for name in names)
    again = neurosim("new", "mine", cwd=tmp_path)
    assert again.returncode == 2
    assert "not empty" in again.stderr
    assert "Next: cd 'my study'; python" in neurosim("new", "my study", cwd=tmp_path).stdout


def test_doctor_and_unknown_studies(tmp_path):
    found = json.loads(neurosim("doctor", "--json", cwd=tmp_path).stdout)
    assert {f["state"] for f in found} <= {"ok", "note"}
    option = neurosim("run", "digits", "--jobz", cwd=tmp_path)
    assert (option.returncode, len(option.stderr.splitlines())) == (2, 1)
    unknown = neurosim("run", "digit", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "Did you mean 'digits'" in unknown.stderr


def test_studies_of_real_data_say_what_is_missing(tmp_path):
    """Offline and without the data folder, one line says which file goes where."""
    done = neurosim("run", "object_vision", cwd=tmp_path, env={"NEUROSIM_DATA": str(tmp_path)})
    assert done.returncode == 2
    assert "fmri_EVC_RDMs.npz is not here: put it into cichy2014_92images/" in done.stderr
    assert len(done.stderr.splitlines()) == 1
