"""What strangers bring to a comparison: answered as by hand, or refused in one line before anything is run."""

from pathlib import Path

import brian2 as b2
import numpy as np
import pandas as pd
import pytest
import snntorch as snn
import torch
import xarray as xr
from scipy.spatial.distance import pdist, squareform
from torch import nn

from neurosim import storage
from neurosim.networks.published import torchvision
from neurosim.schema import InputError, as_responses, as_stimuli
from neurosim.study import RSA, ResponsesBrain, compare_subjects, load_study
from neurosim.study.brains import recorded

N = 8
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (N, 16, 16, 3), dtype=np.uint8)
IDS = [f"stimulus_{i:03d}" for i in range(N)]
FEATURES = RNG.normal(size=(N, 12))
BRAIN = FEATURES @ RNG.normal(size=(12, 9))


def spiking():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(768, 40), snn.Leaky(beta=0.9, threshold=0.02, init_hidden=True))


def test_a_stranger_compares_a_torchvision_network_a_spiking_one_a_table_and_a_tensor(tmp_path):
    torch.manual_seed(0)
    vision, leaky = torchvision().models.shufflenet_v2_x0_5(weights=None), spiking()
    table = pd.DataFrame(FEATURES, index=IDS)
    out = tmp_path / "my fig 1.2"
    outcome = compare_subjects(
        PICTURES,
        {
            "vision": vision,
            "leaky": leaky,
            "table": table.sample(frac=1, random_state=1),
            "tensor": torch.tensor(FEATURES),
        },
        {"brain": BRAIN},
        out=out,
        layers={"vision": ["stage2.0", "fc"], "leaky": ["1"]},
        title='A "title"\x7f with \\ and é',
        analyses={"rsa": RSA(metric="euclidean", estimate="bootstrap", n_bootstrap=np.int64(50), correction="fdr")},
        jobs=1,
    )
    assert vision.training and leaky.training and outcome.report.exists()
    with torch.no_grad():
        shown = torch.from_numpy(PICTURES).permute(0, 3, 1, 2).float() / 255
        logits, drive = vision.eval()(shown), leaky[:2](shown)
    wanted = {("vision", "fc"): logits, ("leaky", "1"): drive, ("table", "all"): FEATURES, ("tensor", "all"): FEATURES}
    for (subject, layer), values in wanted.items():
        rdms = storage.read_dataset(out / "results" / f"rdms_{subject}" / "rdms.nc")
        assert rdms.stimulus.values.tolist() == IDS
        found = rdms["rdm"].sel(layer=layer).values
        wanted_rdm = squareform(pdist(np.asarray(values, dtype=float), "sqeuclidean")) / values.shape[1]
        np.testing.assert_allclose(found, wanted_rdm, rtol=1e-3)
    study = load_study(out / "study.toml")
    assert (
        study.name == "my_fig_1_2" and study.title.startswith('A "title"') and study.analyses["rsa"].n_bootstrap == 50
    )


def test_a_table_of_spikes_is_read_as_the_csv_is(tmp_path, monkeypatch):
    """What goes to the engine is the same, with trials and in any order of rows."""
    rng = np.random.default_rng(1)
    spikes = pd.DataFrame(
        {
            "stimulus": np.repeat(IDS, 6),
            "trial": np.tile([0, 1], 3 * N),
            "unit": np.tile(["u", "v", "w"], 2 * N),
            "time": rng.random(6 * N),
        }
    ).iloc[rng.permutation(6 * N)]
    spikes.to_csv(tmp_path / "spikes.csv", index=False)
    seen = {}

    def keep(study, **_options):
        seen.update({name: storage.read_array(row.path) for name, row in study.brains.items()})

    monkeypatch.setattr("neurosim.study.compare.run_study", keep)
    named = pd.DataFrame(BRAIN, index=pd.Index(IDS, name="stimulus")).iloc[::-1]
    brains = {"table": spikes, "csv": tmp_path / "spikes.csv", "named": named, "column": named.reset_index()}
    compare_subjects(PICTURES, {"model": FEATURES}, brains, out=tmp_path / "out")
    xr.testing.assert_identical(seen["table"], seen["csv"])
    xr.testing.assert_identical(seen["named"], seen["column"])
    assert seen["table"].dims == ("stimulus", "trial", "unit") and seen["table"].sum() == 6 * N
    np.testing.assert_array_equal(seen["column"].values, BRAIN)


def given(model=FEATURES, brain=BRAIN, *, name="model", **options):
    return lambda out: compare_subjects(PICTURES, {name: model}, {"brain": brain}, out=out, **options)


LETTERED = as_stimuli(PICTURES, ids=["p1", "p10", "p11", "p2", "p3", "p4", "p5", "p6"])
NAMED = pd.DataFrame(FEATURES, index=[f"picture_{i}" for i in range(N)])
REFUSED = {
    "wrong size": (given(FEATURES[:5]), r"^compare_subjects, 'model': 8 stimulus ids for 5 stimuli"),
    "wrong size of a brain": (given(brain=BRAIN[:5]), "^compare_subjects, 'brain': 8 stimulus ids for 5"),
    "wrong names": (given(NAMED), "^compare_subjects, 'model': the two describe different stimuli"),
    "wrong names of an array": (given(as_responses(NAMED)), "^compare_subjects, 'model': the two describe different"),
    "missing values": (given(np.full((N, 3), np.nan)), "^compare_subjects, 'model': .*NaN"),
    "complex": (given(FEATURES + 1j), "^compare_subjects, 'model': the values are complex"),
    "trials or time": (given(brain=np.ones((N, 3, 4))), "'brain': .*may hold trials or time"),
    "no time step": (
        given(brain=xr.DataArray(np.ones((N, 3, 4)), dims=("stimulus", "time", "unit"))), "without a time step",
    ),
    "another picture size": (
        given(nn.Sequential(nn.Flatten(), nn.Linear(5, 2))), "^compare_subjects, 'model': Sequential does not take",
    ),
    "no layers": (given(nn.ReLU()), "^compare_subjects, 'model': ReLU has no layer with parameters"),
    "a layer that is not there": (
        given(spiking(), layers={"model": ["3"]}), "^compare_subjects, 'model': no layer '3' in Sequential"
    ),
    "layers of nobody": (given(spiking(), layers={"modell": ["1"]}), "'modell' are asked, .* Did you mean 'model'"),
    "layers of an array": (given(layers={"model": ["1"]}), "layers are asked of a ndarray"),
    "a class": (given(nn.Linear), "'model': found a type; give a torch module"),
    "nothing": (given(None), "'model': found a NoneType"),
    "an array for names in two orders": (
        lambda out: compare_subjects(LETTERED, {"model": FEATURES}, {"brain": BRAIN}, out=out),
        r"values without names, for stimuli whose order is that of their letters \(p1, p10, p11, ...\)",
    ),
    "a bare Brian2 network": (given(b2.Network()), "a Brian2 Network does not say how .* 'brian2_network'"),
    "a dict": (given({"a": 1}), "'model': found a dict"),
    "no such model": (given("efficientnet_lite"), "'efficientnet_lite' is no file and no built-in model"),
    "no such file": (given("nowhere.nc"), "nowhere.nc"),
    "a name with a point": (given(name="my.model"), "'my.model' is no name that a file can have"),
    "one name for two": (given(name="brain"), "'brain' is a subject and a brain; give one of them another name"),
    "no name": (given(name=""), "is no name that a file can have"),
    "a number as name": (given(name=3), "3 is no name that a file can have"),
    "no subjects": (lambda out: compare_subjects(PICTURES, {}, {"b": BRAIN}, out=out), "subjects by name asked"),
    "a list of brains": (lambda out: compare_subjects(PICTURES, {"a": BRAIN}, [1], out=out), "brains by name asked"),
    "stimuli": (lambda out: compare_subjects(np.ones((8, 5, 6, 7)), {"a": BRAIN}, {"b": BRAIN}, out=out),
                "^compare_subjects: shape .* does not say which dim is the channel"),
    "an unknown option": (given(analyses={"a": {"kind": "rsa", "metrik": "cosine"}}), "Did you mean 'metric'"),
    "an unknown metric": (given(metric="euclidian"), "Did you mean 'euclidean'"),
    "three stimuli": (
        lambda out: compare_subjects(PICTURES[:3], {"a": FEATURES[:3]}, {"b": BRAIN[:3]}, out=out),
        r"analyses.rsa: at least 6 stimuli are asked, found 3; resample = \['subject'\] takes 3 or more as fixed",
    ),
    "an option of another kind": (given(metric={"a": 1}), "metric: a text asked"),
    "subjects of one": (
        given(analyses={"a": {"kind": "rsa", "resample": ["subject"]}}),
        r"analyses.a.resample: the brain 'brain' has one subject, which cannot be resampled; resample = \['stimulus'\]",
    ),
    "subjects of one, drawn": (
        lambda out: compare_subjects(
            PICTURES, {"a": FEATURES}, {"b": {"kind": "synthetic", "tuning": {"pixels": 1.0}, "n_subjects": 1}},
            analyses={"trains": {"kind": "rsa", "resample": ["subject"]}}, out=out,
        ),
        "the brain 'b' has one subject, which cannot be resampled",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_compared_is_one_line_and_leaves_nothing_behind(what, tmp_path):
    make, message = REFUSED[what]
    with pytest.raises(InputError, match=message) as caught:
        make(tmp_path / "out")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    assert not list(tmp_path.iterdir())


def test_a_file_of_a_study_is_read_with_the_options_of_its_reader(tmp_path):
    """A table of the trials that were run is an option that names a file, which is kept with the study."""
    spikes = [
        f"{IDS[k]},{trial},u{u},0.{k + 1}" for k in range(N) for trial in range(2) for u in range(4) if (k + u) % 3
    ]
    (tmp_path / "spikes.csv").write_text("\n".join(["stimulus,trial,unit,time", *spikes]))
    run = [f"{name},{trial}" for name in IDS for trial in range(3)]
    (tmp_path / "run.csv").write_text("\n".join(["stimulus,trial", *run]))
    brain = {"kind": "responses", "path": tmp_path / "spikes.csv", "options": {"trials": str(tmp_path / "run.csv")}}
    outcome = compare_subjects(PICTURES, {"model": FEATURES}, {"brain": brain}, out=tmp_path / "out", jobs=1)
    assert outcome.scores["rsa:brain"].attrs["n_stimuli"] == N
    row = ResponsesBrain(path="spikes.csv", options={"trials": "run.csv"})
    assert recorded.read(row, "brain", tmp_path).sizes["trial"] == 3
    assert row.named_paths() == {"options.trials": Path("run.csv")}
    with pytest.raises(InputError, match="trialz"):
        recorded.read(ResponsesBrain(path="spikes.csv", options={"trialz": "all"}), "brain", tmp_path)
