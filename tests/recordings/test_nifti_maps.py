"""A map of searchlights is written into the voxels of its places, and other tools find it there."""

import nibabel
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import neurosim as ns

AFFINE = np.array([[-2.0, 0.1, 0, 90], [0, 2.5, 0.3, -126], [0.2, 0, 3, -72], [0, 0, 0, 1]])
SHAPE = (5, 4, 6)


@pytest.fixture
def files(tmp_path):
    """Betas of 5 stimuli in 2 runs, a mask that keeps half of the voxels, and events."""
    rng = np.random.default_rng(0)
    mask = rng.random(SHAPE) < 0.5
    betas = rng.normal(size=(*SHAPE, 10))
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), AFFINE), tmp_path / "mask.nii.gz")
    nibabel.save(nibabel.Nifti1Image(betas, AFFINE), tmp_path / "betas.nii")
    events = pd.DataFrame({"trial_type": list("abcde") * 2, "run": [1] * 5 + [2] * 5})
    events.to_csv(tmp_path / "events.tsv", sep="\t", index=False)
    return tmp_path


def loaded(files):
    return ns.recordings.load_betas(files / "betas.nii", files / "events.tsv", mask=files / "mask.nii.gz")


def test_a_map_lies_where_its_searchlights_are(files):
    responses = loaded(files)
    near = ns.similarity.searchlights(responses, 4e-3)
    model = ns.as_rdm(np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0))), stimuli=list("abcde"))
    scores = ns.similarity.searchlight_scores(
        responses, near, {"line": model, "square": model**2}, metric="crossnobis", progress=False
    )
    for name in ("map.nii", "map.nii.gz"):
        ns.recordings.save_nifti(scores, files / name, mask=files / "mask.nii.gz")
    image = nibabel.load(files / "map.nii.gz")
    mask = nibabel.load(files / "mask.nii.gz")
    assert np.array_equal(image.affine, mask.affine) and image.shape == (*SHAPE, 2)
    found = image.get_fdata()
    assert np.array_equal(found[np.asarray(mask.dataobj) > 0], scores.values)
    assert np.isnan(found[np.asarray(mask.dataobj) == 0]).all()
    assert np.array_equal(nibabel.load(files / "map.nii").get_fdata(), found, equal_nan=True)


def test_nilearn_finds_a_map_where_its_voxels_are(files):
    """A tool of others opens the map, in the space of the mask, and its masker gives the values that were written."""
    maskers = pytest.importorskip("nilearn.maskers")
    units = loaded(files).isel(stimulus=0, trial=0)
    ns.recordings.save_nifti(units, files / "map.nii.gz", mask=files / "mask.nii.gz")
    masker = maskers.NiftiMasker(str(files / "mask.nii.gz"), standardize=None).fit()
    np.testing.assert_array_equal(masker.transform(str(files / "map.nii.gz")).ravel(), units.values)


def test_the_order_of_the_values_does_not_matter(files):
    units = loaded(files).isel(stimulus=0, trial=0)
    ns.recordings.save_nifti(units, files / "a.nii", mask=files / "mask.nii.gz")
    ns.recordings.save_nifti(units[::-1], files / "b.nii", mask=files / "mask.nii.gz")
    assert (files / "a.nii").read_bytes() == (files / "b.nii").read_bytes()
    ns.recordings.save_nifti(units[3:], files / "c.nii", mask=files / "mask.nii.gz")
    assert int(np.isfinite(nibabel.load(files / "c.nii").get_fdata()).sum()) == units.size - 3


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (lambda u: u.assign_coords(x=u.x + 1e-3), "map.nii", "save_nifti: .* places are no voxels of the mask"),
        (lambda u: xr.concat([u, u[:1]], "unit"), "map.nii", "two values have the place of one voxel"),
        (lambda u: u.drop_vars("z"), "map.nii", "places x, y, z in m along one dim"),
        (lambda u: u.expand_dims(a=2, b=2), "map.nii", "one other dim"),
        (lambda u: u, "map.img", "map.img is no .nii"),
        (lambda u: u.values, "map.nii", "labelled array with places asked"),
    ],
)
def test_what_has_no_voxel_is_refused(files, change, name, message):
    units = loaded(files).isel(stimulus=0, trial=0)
    with pytest.raises(ns.InputError, match=message) as caught:
        ns.recordings.save_nifti(change(units), files / name, mask=files / "mask.nii.gz")
    assert "\n" not in str(caught.value) and not (files / name).exists()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: t.assign(trial_type=["n/a", *"bcde"] * 2), {}, "load_betas: 2 events have no trial_type"),
        (lambda t: t, {"run": "session"}, "load_betas: the events have no column 'session', only trial_type, run"),
    ],
)
def test_events_without_a_name_or_a_column_are_refused(files, change, options, message):
    table = change(pd.read_csv(files / "events.tsv", sep="\t", keep_default_na=False))
    table.to_csv(files / "events.tsv", sep="\t", index=False)
    with pytest.raises(ns.InputError, match=message):
        ns.recordings.load_betas(files / "betas.nii", files / "events.tsv", mask=files / "mask.nii.gz", **options)
