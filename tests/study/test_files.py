"""Study files: every mistake is one line with the nearest known word, before anything runs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurosim import storage
from neurosim.schema import InputError, as_responses
from neurosim.study.citations import citations_of
from neurosim.study.compare import compare_subjects
from neurosim.study.files import builtin, builtin_models, load_study
from neurosim.study.run import check_study

from .conftest import neurosim

BRAIN = '[brains.area]\nkind = "responses"\npath = "brain.nc"\nmetric = "crossnobis"\n'
NEAR = 'kind = "responses"\npath = "near.nc"'
REPLACEMENTS = {
    "unknown key": ("n_bootstrap = 100", "n_boostrap = 100", "Did you mean 'n_bootstrap'"),
    "unknown table": ("[analyses.rsa]", "[analises.rsa]", "Did you mean 'analyses'"),
    "unknown model": ('kind = "responses"\npath = "near.nc"', 'model = "digits_cn"', "Did you mean 'digits_cnn'"),
    "unknown metric": ('metric = "crossnobis"', 'metric = "crossnobs"', "Did you mean 'crossnobis'"),
    "unknown folds": (
        'metric = "crossnobis"',
        'metric = "crossnobis"\nfolds = "rum"',
        "no label 'rum' along trial or (stimulus, trial). Labels: run. Did you mean 'run'?",
    ),
    "folds of no trials": (
        'metric = "crossnobis"',
        'metric = "euclidean"\nfolds = "run"',
        "brains.area.folds: the metric 'euclidean' has no folds",
    ),
    "unknown shrinkage": (
        'metric = "crossnobis"',
        'metric = "crossnobis"\nprecision = "diagonl"',
        "Did you mean 'diag",
    ),
    "unknown method": ("n_bootstrap = 100", 'method = "sperman"', "Did you mean 'spearman'"),
    "out of range": ("n_bootstrap = 100", "n_bootstrap = 1", "n_bootstrap: a number of at least 50 asked, found 1"),
    "wrong type": ("seed = 3", 'seed = "three"', "seed"),
    "missing key": ('name = "small"', "", "the key 'name' is missing"),
    "names code": ('kind = "responses"\npath = "near.nc"', 'kind = "os.system"', "subjects.near"),
    "names a class": (
        'kind = "responses"\npath = "near.nc"',
        '_target_ = "os.system"\nkind = "circuit"',
        "unknown key",
    ),
    "escaping model": ('kind = "responses"\npath = "near.nc"', 'model = "../../secret.toml"', "leads out"),
    "escaping name": ('name = "small"', 'name = "../small"', "name"),
    "not TOML": ("[analyses.rsa]", "[analyses.rsa", "not valid TOML"),
    "duplicate key": ("seed = 3", "seed = 3\nseed = 4", "not valid TOML"),
    "unknown layer": ('path = "near.nc"', 'path = "near.nc"\nlayers = ["conv*"]', "no layer 'conv*'; layers: all"),
    "no spikes": ('kind = "rsa_in_time"', 'kind = "spike_rsa"', "and none of near, far spikes"),
    "one without spikes": (
        'kind = "rsa_in_time"',
        'kind = "spike_rsa"\nsubjects = ["near"]',
        "spike trains, and near gives none",
    ),
    "no brains": (BRAIN, "", "analyses.rsa asks brains, and the study has none; give [brains], or ask subjects alone"),
    "option of a circuit": (
        NEAR,
        'kind = "circuit"\ncircuit = "gabor_adex"\noptions = { n_excitatry = 3 }',
        "study.toml: subjects.near.options: unknown key 'n_excitatry'. Did you mean 'n_excitatory'?",
    ),
    "value of a circuit": (
        NEAR,
        'kind = "circuit"\ncircuit = "gabor_adex"\noptions = { n_excitatory = 0 }',
        "near.options: GaborAdExOptions: at least one neuron of each kind asked, found n_excitatory = 0, n_inhibitory",
    ),
    "parameter of a network": (
        NEAR,
        'kind = "network"\narchitecture = "MLP"\nparameters = { hidden = 3 }',
        "study.toml: subjects.near.parameters.hidden: a list in square brackets asked, found 3.",
    ),
    "text for a list": ('estimate = "bootstrap"', 'resample = "stimulus"', "resample: a list in square brackets asked"),
    "not a number": ('title = "A small study"', "title = nan", "title: a text asked, found nan"),
    "missing file": ("near.nc", "nearly.nc", "nearly.nc: no such file"),
    "pictures needed": ('kind = "responses"\npath = "near.nc"', 'model = "digits_cnn"', "needs pictures"),
    "one name for two": ("[brains.area]", "[brains.far]", "brains.far: 'far' is also a subject; results go by name"),
    "twin of nothing": (
        'kind = "responses"\npath = "near.nc"',
        'kind = "twin"\nof = "fa"',
        "Did you mean 'far'",
    ),
}


@pytest.mark.parametrize("mistake", REPLACEMENTS)
def test_a_mistake_is_one_line_before_work_starts(small_study, mistake):
    old, new, words = REPLACEMENTS[mistake]
    text = small_study.read_text()
    assert old in text
    small_study.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        check_study(small_study, out=small_study.parent / "out")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


GABOR = 'kind = "circuit"\ncircuit = "gabor_adex"\n'
NETWORK = 'kind = "network"\narchitecture = '
NEURON = NETWORK + '"SpikingMLP"\nparameters = { neuron = '
ROWS = {
    GABOR + 'layers = ["nix*"]': "near: no layer 'nix*'; layers: excitatory, inhibitory.",
    GABOR + "layers = []": "near: layers: at least 1 asked",
    GABOR + 'layers = [""]': "near: layers.0: a text of at least 1 character asked",
    NEAR + "\nlayers = []": "near: layers: at least 1 asked",
    GABOR + "image_size = 1": "near: pictures of 1 x 1 pixels are smaller than the grid 4 x 4",
    GABOR + "grid = 9": "near: pictures of 8 x 8 pixels are smaller than the grid 9 x 9",
    GABOR + "n_trials = true": "near: n_trials: a whole number asked, found true.",
    GABOR + "wavelength = true": "near: wavelength: a number asked, found true.",
    GABOR + "options = { n_excitatory = true }": "near.options.n_excitatory: a whole number asked, found true.",
    GABOR + "options = { n_excitatory = 100000000000 }": "at most 1000000 neurons of each kind",
    NETWORK
    + '"SpikingMLP"\nparameters = { neuron = { tau_men = 0.02 } }': "neuron: unknown key 'tau_men'. Did you mean",
    NETWORK
    + '"SpikingMLP"\nparameters = { neuron = { learn = { tau_men = "layer" } } }': "neuron.learn: unknown key 'tau_",
    NEURON + "{ slope = true } }": "neuron.slope: a number asked, found true.",
    NETWORK + '"MLP"\nparameters = { hidden = [true] }': "parameters.hidden: a whole number asked, found true.",
    NETWORK + '"MLP"\ntraining = { task = "digits", epochs = true }': "training: epochs: a whole number asked, found",
    NETWORK + '"EfficientNetLite0"': "near: it takes colour pictures, the stimuli have dims ('stimulus', 'y', 'x')",
    NETWORK + '"MLP"\ntraining = { task = "cifar10" }': "near: it takes colour pictures, the stimuli have dims",
}


@pytest.mark.parametrize("row", ROWS)
def test_what_a_subject_cannot_do_is_one_line_before_work_starts(small_study, row):
    text = small_study.read_text().replace('source = "labels"', 'source = "digits"')
    small_study.write_text(text.replace(NEAR, row, 1))
    with pytest.raises(InputError) as caught:
        check_study(small_study, out=small_study.parent / "out")
    assert ROWS[row] in str(caught.value)
    assert "\n" not in str(caught.value)


def damage(name):
    def nan(folder):
        broken = storage.read_array(folder / "near.nc")
        broken.values[2, 3] = np.nan
        storage.write_dataset(folder / "near.nc", broken)

    def other_stimuli(folder):
        other = as_responses(np.random.default_rng(0).normal(size=(12, 4)), stimuli=[f"other_{i}" for i in range(12)])
        storage.write_dataset(folder / "near.nc", other.rename("responses"))

    def truncated(folder):
        whole = (folder / "brain.nc").read_bytes()
        (folder / "brain.nc").write_bytes(whole[: len(whole) // 2])

    def empty_layer(folder):
        np.savez(folder / "far.npz", responses=np.zeros((12, 0)))

    def constant(folder):
        names = storage.read_array(folder / "near.nc").stimulus.values
        np.savez(folder / "far.npz", responses=np.ones((12, 4)), stimulus=names)

    return locals()[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nan", "NaN or infinite, the first at (stimulus=2, unit=3)"),
        ("other_stimuli", "different stimuli"),
        ("truncated", "truncated"),
        ("empty_layer", "empty along ['unit']"),
        ("constant", "do not vary over units"),
    ],
)
def test_bad_data_is_one_line_exit_code_2_and_no_traceback(small_study, tmp_path, name, words):
    damage(name)(small_study.parent)
    done = neurosim("run", small_study, "-o", "out/small", "-j", 1, "--quiet", cwd=tmp_path)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1
    assert words in lines[0]
    assert not (tmp_path / "out" / "small").exists()


def test_a_results_folder_that_cannot_be_written_is_said_first(small_study, tmp_path):
    (tmp_path / "taken").write_text("")
    done = neurosim("run", small_study, "-o", "taken/small", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists(), reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(small_study, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    drop = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    code = (
        "from pathlib import Path; from neurosim.storage import check_writable, StorageError\n"
        f"try: check_writable(Path({str(locked)!r}))\nexcept StorageError as e: print(e)"
    )
    tmp_path.chmod(0o755)
    done = subprocess.run([*drop, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") <= 1
    assert "cannot be written" in done.stdout or "Permission denied" in done.stderr


@pytest.mark.parametrize("study", ["digits", "object_vision"])
def test_built_in_studies_and_their_citations_are_valid(study):
    loaded = load_study(builtin("analyses", f"{study}/study.toml"))
    references = citations_of(loaded)
    assert len(references) == len(set(references)) > 8
    assert all("http" in reference for _, reference in references)


@pytest.mark.parametrize("model", builtin_models())
def test_built_in_models_are_valid(small_study, model):
    source = "cifar10" if model.startswith(("cifar10", "efficientnet")) else "digits"
    text = f'name = "one"\n[stimuli]\nsource = "{source}"\n[subjects]\na = "{model}"\n'
    text += '[brains.b]\nkind = "synthetic"\ntuning = { pixels = 1.0 }\n'
    small_study.write_text(text)
    assert load_study(small_study).subjects["a"].kind in ("network", "circuit")


def test_a_wrong_parameter_of_an_architecture_is_named(small_study):
    text = small_study.read_text().replace('source = "labels"', 'source = "digits"')
    network = 'kind = "network"\narchitecture = "ConvNet"\nparameters = { chanels = [4] }'
    small_study.write_text(text.replace('kind = "responses"\npath = "near.nc"', network))
    with pytest.raises(InputError, match="Did you mean 'channels'"):
        load_study(small_study)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ('architecture = "GRU"\nparameters = { n_words = 9 }\ntraining = { task = "digits" }', "reads words"),
        ('architecture = "Transformer"\ntraining = { task = "digits" }', "not gray pictures"),
        ('architecture = "LeakyRNN"\ntraining = { task = "digits" }', "not gray pictures"),
        ('architecture = "SpikingRNN"\ntraining = { task = "cifar10" }', "not colour pictures"),
        ('architecture = "VAE"\ntraining = { task = "digits" }', "learns reconstruction, not categories"),
        ('architecture = "Autoencoder"\ntraining = { task = "digits" }', "learns reconstruction, not categories"),
        ('architecture = "EfficientNetLite0"\ntraining = { task = "digits" }', "takes colour pictures"),
        ('architecture = "EfficientNetLite0"\ntraining = { task = "cifar10" }', "is not trained"),
        ('architecture = "ConvNet"\nparameters = { channels = [2, 2, 2, 2] }\ntraining = { task = "digits" }', "small"),
        ('architecture = "ConvNet"', "comes without weights"),
    ],
)
def test_what_an_architecture_cannot_do_is_refused_before_anything_runs(small_study, network, words):
    text = small_study.read_text().replace('source = "labels"', 'source = "digits"')
    small_study.write_text(text.replace('kind = "responses"\npath = "near.nc"', f'kind = "network"\n{network}'))
    with pytest.raises(InputError, match=words) as caught:
        load_study(small_study)
    assert "\n" not in str(caught.value)


def test_names_of_given_subjects_lead_nowhere_else(tmp_path):
    stimuli = np.random.default_rng(0).random((8, 4, 4))
    with pytest.raises(InputError, match="is no name that a file can have"):
        compare_subjects(
            stimuli, {"../../x": stimuli.reshape(8, -1)}, {"b": stimuli.reshape(8, -1)}, out=tmp_path / "o"
        )
    assert not list(tmp_path.iterdir())
