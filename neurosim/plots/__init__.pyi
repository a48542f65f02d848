"""Plots: arrays in, matplotlib Axes out."""

# Representations
from .plane import plot_arrangement as plot_arrangement  # subjects in the plane; near means alike
from .geometry import plot_layer_time as plot_layer_time  # a map of scores over layer and time
from .geometry import plot_matrix as plot_matrix  # scores between every two subjects
from .geometry import plot_rdm as plot_rdm  # an RDM, sorted by a label, with its stimuli
from .geometry import plot_rdm_movie as plot_rdm_movie  # RDMs over time as a film strip
from .plane import plot_stimulus_map as plot_stimulus_map  # stimuli in the plane, as dots or as their images

# Scores of models against a brain
from .scores import plot_profiles as plot_profiles  # over the layers of every model
from .scores import plot_tested_course as plot_tested_course  # over time, with where it is significant, and latencies
from .scores import plot_scores as plot_scores  # one bar a model, with interval, ceiling and tests

# What was shown, and how neurons answered
from .pictures import plot_raster as plot_raster  # spikes of a network, and of its circuit over them
from .pictures import plot_stimuli as plot_stimuli  # images as one contact sheet
from .recordings import plot_generalisation as plot_generalisation  # decoding from every time to every other
from .population import plot_spectrogram as plot_spectrogram  # power or coherence over time and frequency
from .recordings import plot_sweeps as plot_sweeps  # the voltage of intracellular sweeps
from .recordings import plot_time_course as plot_time_course  # a quantity over time with its standard error
from .population import plot_trajectories as plot_trajectories  # courses of a population in two latent dimensions
from .recordings import plot_tuning as plot_tuning  # the tuning curve of a unit, and its fit

# Circuits
from .circuits import plot_circuit as plot_circuit  # populations and the projections between them
from .circuits import plot_positions as plot_positions  # where neurons are

# Learning, and what was learned
from .training import plot_attribution as plot_attribution  # images, and what mattered in each
from .training import plot_confusion as plot_confusion  # which category was named for which
from .training import plot_psychometric as plot_psychometric  # the share of a choice by condition
from .training import plot_training as plot_training  # loss or accuracy over epochs
from .training import plot_words as plot_words  # words, each as dark as its share

# Figures
from .canvas import figure_bytes as figure_bytes  # a figure as SVG, PDF and PNG, the same bytes each time
from .canvas import house_style as house_style  # the style of neurosim inside a block
from .canvas import new_figure as new_figure  # an empty figure that pyplot does not keep
