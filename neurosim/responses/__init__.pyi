"""Responses: what is said of one subject's answers: rates, tuning, reliability, decoding, spike trains."""

# averages
from .averages import average_trials as average_trials  # return the mean over ``trial``; responses without trials
from .averages import over_time as over_time  # return one value a stimulus and unit: the sum of spike counts, the
from .averages import rebin as rebin  # return responses in bins of `time_bin` seconds: spike counts are summed,

# rates
from .rates import firing_rate as firing_rate  # return firing rates over time

# tuning
from .tuning import fit_tuning as fit_tuning  # fit a curve to the tuning of every unit by least squares
from .tuning import orientation_selectivity as orientation_selectivity  # return how selective units are for
from .tuning import sparseness as sparseness  # return how few stimuli a unit answers to, or how few units answer to
from .tuning import tuning_curve as tuning_curve  # return the mean response of every unit to every value of a

# places
from .places import spatial_map as spatial_map  # return the firing rate of units over places that were visited, on a

# reliability
from .reliability import select_reliable as select_reliable  # keep the units that answer the stimuli differently,
from .reliability import signal_to_noise as signal_to_noise  # return how much of every unit's variance is signal,
from .reliability import split_half_reliability as split_half_reliability  # correlate the mean of one half of the

# dimensionality
from .dimensionality import cross_validated_pca as cross_validated_pca  # return the spectrum of the signal: variance
from .dimensionality import participation_ratio as participation_ratio  # return the effective number of dimensions

# decoding
from .decoding import decode as decode  # decode a label of the stimuli from single trials of a population
from .decoding import generalise as generalise  # decode one label of the stimuli where another has a value that was

# new stimuli
from .new_stimuli import decode_new_stimuli as decode_new_stimuli  # decode a label of stimuli that were not trained on

# bursts
from .bursts import burst_statistics as burst_statistics  # return how much units fire in bursts: runs of spikes that
from .bursts import first_spike_latency as first_spike_latency  # return when every unit fires first in each trial

# unsupervised
from .unsupervised import cluster_stimuli as cluster_stimuli  # put stimuli into clusters by the responses to them,
from .unsupervised import embed_stimuli as embed_stimuli  # return a map of stimuli in few dimensions by the

# spike matching
from .spike_matching import coincidence as coincidence  # return how well predicted spike trains match repeated
from .spike_matching import coincidence_rate as coincidence_rate  # return the share of spikes that a prediction
from .spike_matching import spike_time_f1 as spike_time_f1  # return how many spikes have a partner in the other

# variability
from .variability import fano_factor as fano_factor  # return the variance of spike counts over trials by their mean,
from .variability import interval_variability as interval_variability  # return how irregular spike trains are:
from .variability import noise_correlation as noise_correlation  # return how units vary together from trial to trial
from .variability import psth as psth  # return the firing rate over time, smoothed by a Gaussian and averaged over
from .variability import signal_correlation as signal_correlation  # return how alike the tuning of units is:

# correlograms
from .correlograms import cross_correlogram as cross_correlogram  # return by how much the spikes of one unit change
from .correlograms import synchrony as synchrony  # return how far every pair of units fires together
