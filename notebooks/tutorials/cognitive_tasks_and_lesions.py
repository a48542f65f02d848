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
# # Cognitive tasks and lesions
#
# Two streams of evidence arrive, motion and colour, and a cue says which of them counts. A recurrent network learns the task;
# you read its psychometric curves as those of an animal, follow its population along the axes of evidence and choice, and then
# damage it: units silenced at random, and units silenced for what they tell. Ten minutes to read, a quarter of a minute to
# run; it needs nothing but the package.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import torch

import neurosim as ns

# %% [markdown]
# ## A task is a generator of trials
# The task is that of [Mante et al. 2013](https://doi.org/10.1038/nature12742). Every batch is drawn anew and comes with a
# table: what was shown, which cue, what is right, when the periods begin.

# %%
task = replace(ns.tasks.cognitive_task("context_decision"), n_batches_an_epoch=100)
task

# %%
trials = task.trials(600, rng=7)
k = int(abs(trials.coords["relevant_coherence"]).argmax("stimulus"))
_, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
for colour, name in enumerate(trials["unit"].values):
    ns.plots.plot_time_course(
        trials.inputs[k].sel(unit=name, drop=True), ax=ax, label=str(name), colour=colour
    )
ax.set(
    ylabel="input",
    title=f"attend {str(trials.context[k].values)}: right is choice {int(trials.choice[k])}",
)
ax.legend(loc="upper left", bbox_to_anchor=(1, 1));

# %% [markdown]
# ## Train
# Sixty rate units with time constants of 100 ms, all connected, with private noise.

# %%
torch.manual_seed(0)
specification = ns.networks.LeakyRNNSpecification(60, identity=0.5, noise=0.05)
network = ns.build_network(specification, task.image_shape, len(task.outputs))
history = ns.train(
    network, task, ns.networks.TrainingOptions(epochs=4, learning_rate=1e-2), progress=False
)


def answers(subject, shown):
    """Outputs (trial, time, output) of a network."""
    with torch.no_grad():
        return (
            subject.eval()(torch.from_numpy(shown.inputs.values).transpose(0, 1))
            .transpose(0, 1)
            .numpy()
        )


outputs = answers(network, trials)
intact = task.score(outputs, trials)
print(f"{float(intact.mean()):.0%} of {trials.sizes['stimulus']} new trials answered rightly")

# %% [markdown]
# What is attended moves the choice, what is not does not. The table makes that two groupings.

# %%
chosen = task.chosen(outputs, trials)
_, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
for ax, context in zip(axes, ("motion", "colour")):
    for colour, evidence in (("#0072b2", "motion"), ("#d55e00", "colour")):
        curve = ns.tasks.psychometric(chosen[chosen.context == context], f"{evidence}_coherence")
        ns.plots.plot_psychometric(curve, ax=ax, label=evidence, colour=colour)
    ax.set(title=f"attend {context}", xlabel="coherence")
axes[0].set_ylabel("share of choice 1")
axes[0].legend();

# %% [markdown]
# ## What the population tells, and when
# The responses carry the table too. Along three orthogonal axes they answer choice, motion and colour; the courses are means
# over the trials of one coherence where motion counts, from the dot on.

# %%
rates = ns.record_responses(network, trials.inputs, progress=False)
found = ns.responses.targeted_axes(rates, ["choice", "motion_coherence", "colour_coherence"])
attended = found.latents[found.latents.context == "motion"]
_, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ax, (evidence, place) in zip(axes, {"motion_coherence": 1, "colour_coherence": 2}.items()):
    courses = attended.groupby(evidence).mean().rename({evidence: "stimulus"})
    courses = courses.assign_coords({evidence: ("stimulus", courses["stimulus"].values)})
    ns.plots.plot_trajectories(
        courses.transpose("stimulus", "time", "axis"), ax=ax, by=evidence, pair=(0, place)
    )

# %% [markdown]
# ## Lesions
# `perturbed` damages a network inside a block and leaves it as it was. Silence more and more units, drawn at random or in the
# order of how strongly they answer choice.

# %%
strength = abs(found.axes.sel(axis="choice").values)
order = {
    "most selective first": np.argsort(-strength),
    "least selective first": np.argsort(strength),
    "at random": np.random.default_rng(0).permutation(len(strength)),
}


def score(**how):
    """Share of trials answered rightly by the damaged network."""
    with ns.networks.perturbed(network, ns.Perturbation(layer="recurrent", **how)) as damaged:
        return float(task.score(answers(damaged, trials), trials).mean())


numbers = np.arange(0, 61, 6)
_, ax = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
for name, units in order.items():
    ax.plot(
        numbers,
        [
            score(kind="silence", units=units[:n].tolist()) if n else float(intact.mean())
            for n in numbers
        ],
        "o-",
        label=name,
    )
ax.set(xlabel="units silenced (of 60)", ylabel="share of trials right")
ax.legend();

# %% [markdown]
# ## What is damaged: the decision, or the representation?
# `perturbation_effect` holds several experiments beside each other. `similarity` is the correlation of the RDM of the damaged
# layer with the intact one, `activity` the mean relative to before; the same call takes circuits.

# %%
short = trials.inputs[:80]
experiments = {
    "10 random units": ns.Perturbation("silence", "recurrent", order["at random"][:10].tolist()),
    "10 selective units": ns.Perturbation(
        "silence", "recurrent", order["most selective first"][:10].tolist()
    ),
    "10 others": ns.Perturbation(
        "silence", "recurrent", order["least selective first"][:10].tolist()
    ),
}
effect = ns.perturbation_effect(network, experiments, short, progress=False)
effect[["similarity", "activity"]].to_dataframe().round(3)

# %% [markdown]
# ## Exercises
# **1.** The loss after a lesion may be a loss of sight or of memory. Make the task harder in one way only: what does the network
# lose with half of the coherence, and what with ten selective units less? Compare both as psychometric curves.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
# Weaker evidence makes the curve flatter about 0; these units carry a choice, and without them it
# is hardly made any more.
weaker = trials.copy(deep=True)
weaker["inputs"].loc[{"unit": ["motion", "colour"]}] = 0.5 * weaker.inputs.sel(
    unit=["motion", "colour"]
)
_, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
with ns.networks.perturbed(network, experiments["10 selective units"]) as damaged:
    lesioned = task.chosen(answers(damaged, trials), trials)
halved = task.chosen(answers(network, weaker), weaker)
for name, colour, one in (
    ("intact", "#000000", chosen),
    ("half the evidence", "#0072b2", halved),
    ("lesion", "#d55e00", lesioned),
):
    ns.plots.plot_psychometric(
        ns.tasks.psychometric(one, "relevant_coherence"), ax=ax, label=name, colour=colour
    )
ax.set_ylabel("share of choice 1")
ax.legend();

# %% [markdown]
# **2.** Can it recover? Train the lesioned network for one more epoch, with the units still silent.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
with ns.networks.perturbed(network, experiments["10 selective units"]) as damaged:
    before = float(task.score(answers(damaged, trials), trials).mean())
    ns.train(
        damaged,
        task,
        ns.networks.TrainingOptions(epochs=1, learning_rate=3e-3),
        rng=1,
        progress=False,
    )
    after = float(task.score(answers(damaged, trials), trials).mean())
print(f"{before:.0%} right after the lesion, {after:.0%} after training with it")

# %% [markdown]
# **3.** Is the choice in the population before the go signal? Decode it in time bins of 100 ms.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
fresh = ns.record_responses(network, trials.inputs[:200], progress=False)
course = ns.responses.decode(ns.responses.rebin(fresh, 0.1), "choice", folds=5)
ax = ns.plots.plot_time_course(course.accuracy, course.standard_error, label="choice")
ax.axhline(float(course.chance), color="0.6")
ax.axvline(1e3 * float(trials.go[0]), color="0.6", ls=":")
ax.set_ylabel("decoding accuracy");
