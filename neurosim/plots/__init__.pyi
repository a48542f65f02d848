"""Plots: arrays in, matplotlib Axes out."""

# geometry
from .geometry import plot_arrangement as plot_arrangement  # draw subjects as points in the plane; near means alike
from .geometry import plot_layer_time as plot_layer_time  # draw a map of scores over layer and time
from .geometry import plot_matrix as plot_matrix  # draw scores between every two subjects (model, model_other), with
from .geometry import plot_rdm as plot_rdm  # draw an RDM, with lines between categories when its stimuli are in the
from .geometry import plot_rdm_movie as plot_rdm_movie  # draw RDMs over time as a film strip, one frame a time, all
from .geometry import plot_stimulus_map as plot_stimulus_map  # draw stimuli in the plane, near when a subject

# pictures
from .pictures import plot_raster as plot_raster  # draw the spikes of a trained network and of its Brian2 twin over
from .pictures import plot_stimuli as plot_stimuli  # draw images as one contact sheet

# recordings
from .recordings import plot_generalisation as plot_generalisation  # draw decoding accuracy of every training time
from .recordings import plot_sweeps as plot_sweeps  # draw the voltage of intracellular sweeps, coloured by the
from .recordings import plot_time_course as plot_time_course  # draw a quantity over time with its standard error as
from .recordings import plot_tuning as plot_tuning  # draw the tuning curve of a unit with its interval, and the

# training
from .training import plot_attribution as plot_attribution  # draw images in a row, and under each what mattered in
from .training import plot_confusion as plot_confusion  # draw the confusion matrix of ``evaluate``: rows are right
from .training import plot_psychometric as plot_psychometric  # draw the share of a choice by condition, with
from .training import plot_training as plot_training  # draw a measure of training over epochs, with that of the
from .training import plot_words as plot_words  # draw words in a line, each on a ground as dark as its share

# scores
from .scores import plot_profiles as plot_profiles  # draw the score over the layers of every model as lines with
from .scores import plot_scores as plot_scores  # draw one bar a model, with its interval, a dot below it where it is

# canvas
from .canvas import house_style as house_style  # draw inside this block in the style of neurosim (colour-blind safe,
