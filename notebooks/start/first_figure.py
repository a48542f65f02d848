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
# # The first figure in five minutes
#
# ## From the command line: a whole study
# One command runs a study that is built in: a spiking network learns digits, its Brian2 twin answers beside it, and both
# are compared with a synthetic brain. A minute on two cores.
#
# ```bash
# .venv/bin/neurosim demo
# ```
#
# Open `results/digits/report.html`. Beside it lie the figures (SVG, PDF, PNG), the numbers drawn, the results (netCDF and
# CSV), the study with every default spelled out, and the provenance. Run it again: nothing is computed twice.
#
# ## From Python: a question and its figure
# Which of two ways of looking at digits is nearer to a brain area? Everything here is small, and the area is synthetic: its
# units are tuned to Gabor energy, so the answer is known.

# %%
import neurosim as ns

shown = ns.stimuli.balanced(ns.load_digits(), 3)  # 30 digits
energy = ns.stimuli.gabor_energy(shown)
area = ns.recordings.synthetic_brain(
    energy, ns.recordings.BrainOptions(n_subjects=6), area="V1-like"
)
dict(area.sizes)

# %% [markdown]
# Responses are one labelled array. What each subject answers becomes a matrix: how differently are every two digits
# answered? Trials are used as independent folds, so that noise does not count as difference.

# %%
brain = ns.compute_rdm(area, "crossnobis", by="subject")
models = {
    "pixels": ns.compute_rdm(
        ns.as_responses(shown.values.reshape(len(shown), -1), stimuli=shown), "euclidean"
    ),
    "Gabor energy": ns.compute_rdm(energy, "euclidean"),
}
ns.plots.plot_rdm(brain.mean("subject", keep_attrs=True), title="the area, six subjects");

# %% [markdown]
# And the figure: each model's score, with an interval over new subjects and new digits, beside the best that any model
# could reach (the gray band).

# %%
scores = ns.infer(models, brain)
ns.plots.plot_scores(scores, title="what the area is like");

# %% [markdown]
# ## With your own
# A torch module, a Brian2 script, a recording in a file: {doc}`your model against your data
# </tutorials/02_own_model_own_data>` takes the same three steps, and {doc}`the whole report
# </api/study/your_models_with_your_data>` is one call, `ns.compare_subjects`.
