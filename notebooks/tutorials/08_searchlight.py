# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Where in the brain is it? A searchlight from NIfTI files to a corrected map
#
# Eight subjects saw ten pictures in four runs: animals and tools, of different sizes. Their response estimates lie in NIfTI
# images with a table of events and a mask, as a laboratory keeps them. They are simulated, so that the truth is known: one
# ball of voxels tells animals from tools, another the sizes; everywhere else is noise, smooth in space.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import nibabel
import numpy as np
import pandas as pd
import xarray as xr
from scipy.ndimage import gaussian_filter

import neurosim as ns

folder, rng = Path(tempfile.mkdtemp()), np.random.default_rng(0)
# mm; voxels are no cubes
affine = np.array([[-3.0, 0, 0, 18], [0, 3, 0, -15], [0, 0, 4, -12], [0, 0, 0, 1]])
voxels = np.stack(np.meshgrid(*map(np.arange, (13, 11, 7)), indexing="ij"), -1)
place = voxels @ affine[:3, :3].T + affine[:3, 3]
mask = np.linalg.norm(place / [19, 16, 13], axis=-1) < 1
truth = {
    name: np.linalg.norm(place - at, axis=-1) < 5
    for name, at in {"kind": (-8, 0, 0), "size": (9, 0, 0)}.items()
}
pictures = [f"{kind}_{k}" for kind in ("animal", "tool") for k in range(5)]
kind, size = np.repeat([-1, 1], 5), np.tile(np.arange(5) - 2, 2) / 1.4
nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), affine), folder / "mask.nii.gz")
events = pd.DataFrame({"trial_type": pictures * 4, "run": np.repeat([1, 2, 3, 4], 10)})
events.to_csv(folder / "events.tsv", sep="\t", index=False)

subjects = [f"sub-{k:02d}" for k in range(8)]
for subject in subjects:
    betas = gaussian_filter(rng.normal(size=(*mask.shape, 40)), (0.7, 0.7, 0.7, 0))
    betas /= betas.std()
    for name, label in (("kind", kind), ("size", size)):
        pattern = 0.6 * rng.normal(size=mask.shape) * truth[name]
        betas += pattern[..., None] * np.tile(label, 4)
    nibabel.save(nibabel.Nifti1Image(betas, affine), folder / f"{subject}_betas.nii.gz")

# %% [markdown]
# ## Read
# Every image becomes a labelled array: what was shown, in which run, and the place of each voxel in the scanner, in m.

# %%
responses = {
    s: ns.recordings.load_betas(
        folder / f"{s}_betas.nii.gz", folder / "events.tsv", mask=folder / "mask.nii.gz"
    )
    for s in subjects
}
responses["sub-00"]

# %% [markdown]
# ## Models from labels, and what is near what
# Distances between labels are model RDMs. A searchlight is all voxels within 7 mm, whatever the size of voxels.

# %%
shown = responses["sub-00"].assign_coords(
    kind=("stimulus", [p.split("_")[0] for p in pictures]),
    size=("stimulus", np.tile(np.arange(5), 2)),
)
models = {
    "kind": ns.similarity.model_rdm(shown, "kind"),
    "size": ns.similarity.model_rdm(shown, "size", "numeric"),
}
near = ns.similarity.searchlights(responses["sub-00"], 7e-3)
(near >= 0).sum("member").to_series().describe()[["count", "mean", "max"]]

# %% [markdown]
# ## One map a subject and model
# The RDM of each searchlight is made, compared and forgotten, block by block. Crossnobis distances take the runs as folds, so
# that noise alone has a mean of 0.

# %%
maps = xr.concat(
    [
        ns.similarity.searchlight_scores(
            r, near, models, metric="crossnobis", method="spearman", progress=False
        )
        for r in responses.values()
    ],
    xr.Variable("subject", subjects),
)
maps.sizes

# %% [markdown]
# ## Corrected for all places
# Where nothing is there, a subject's scores are as likely to have the other sign. All 256 ways to turn the maps of eight subjects
# round say how much support of its neighbours (TFCE) a place gets by chance anywhere, in either map.

# %%
beside = ns.similarity.neighbours(maps, 4.1e-3)
tested = ns.similarity.sign_flip_test(
    maps, method="tfce", alternative="greater", adjacency={"searchlight": beside}, progress=False
)
found = tested.p_corrected <= 0.05
found.sum("searchlight").to_series()

# %% [markdown]
# Each model is found where it is, and nowhere beyond the reach of a searchlight that holds a voxel of its ball.

# %%
inside = {name: ball[mask] for name, ball in truth.items()}
for name, ball in inside.items():
    holds = (ball[near.values] & (near.values >= 0)).any(1)
    here = found.sel(model=name).values
    print(
        f"{name}: {here[ball].mean():.0%} of the ball, "
        f"{here[~holds].sum()} places beyond its searchlights"
    )
    assert here[ball].mean() > 0.5 and here[~holds].mean() < 0.05

# %% [markdown]
# ## Maps as images
# Any tool opens them; they are in the space of the mask, and NaN outside it.

# %%
ns.recordings.save_nifti(tested.score, folder / "score.nii.gz", mask=folder / "mask.nii.gz")
ns.recordings.save_nifti(
    tested.score.where(found), folder / "corrected.nii.gz", mask=folder / "mask.nii.gz"
)
image = nibabel.load(folder / "score.nii.gz")
image.shape, np.array_equal(image.affine, affine)

# %%
score, corrected = (
    nibabel.load(folder / f"{name}.nii.gz").get_fdata() for name in ("score", "corrected")
)
figure, axes = plt.subplots(2, 2, figsize=(7, 5.6), layout="constrained")
for column, name in enumerate(tested.model.values):
    for row, (values, what) in enumerate(
        ((score, "mean score"), (corrected, "p ≤ 0.05, corrected"))
    ):
        ax = axes[row, column]
        drawn = ax.imshow(
            values[:, :, 3, column].T, origin="lower", vmin=0, vmax=float(np.nanmax(score))
        )
        ax.contour(truth[name][:, :, 3].T, levels=[0.5], colors="w")
        ax.set(title=f"{name}: {what}", xticks=[], yticks=[])
figure.colorbar(drawn, ax=axes, label="Spearman correlation", shrink=0.6);

# %% [markdown]
# ## Exercises
# **1.** What does correction cost? Count the places with p below 0.05 that are not corrected, inside and far from the balls.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
raw = tested.p <= 0.05
for name, ball in inside.items():
    far = ~(ball[near.values] & (near.values >= 0)).any(1)
    for what, one in {"corrected": found, "not corrected": raw}.items():
        here = one.sel(model=name).values
        print(
            f"{name}, {what}: {here[ball].mean():.0%} of the ball, "
            f"{here[far].sum()} of {far.sum()} places far from it"
        )

# %% [markdown]
# **2.** Larger searchlights hold more voxels and blur the map. How much of each ball is found, and how far does it spread, at 11 mm?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
wide = ns.similarity.searchlights(responses["sub-00"], 11e-3)
wide_maps = xr.concat(
    [
        ns.similarity.searchlight_scores(
            r, wide, models, metric="crossnobis", method="spearman", progress=False
        )
        for r in responses.values()
    ],
    xr.Variable("subject", subjects),
)
wide_found = (
    ns.similarity.sign_flip_test(
        wide_maps,
        method="tfce",
        alternative="greater",
        adjacency={"searchlight": beside},
        progress=False,
    ).p_corrected
    <= 0.05
)
for name, ball in inside.items():
    for radius, one in {"7 mm": found, "11 mm": wide_found}.items():
        here = one.sel(model=name).values
        print(
            f"{name}, {radius}: {here[ball].mean():.0%} of the ball, "
            f"{here.sum() - here[ball].sum()} places outside of it"
        )

# %% [markdown]
# To go on, without an answer here:
#
# 1. Use a radius that is half as large. Which ball is lost first, and why that one?
# 2. Test two-sided. What happens to the corrected map, and what would make that the right question?
