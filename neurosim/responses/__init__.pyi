"""Responses: what is said of one subject's answers: rates, tuning, reliability, decoding, spike trains."""

# Over trials and time
from .averages import average_trials as average_trials  # the mean over trials
from .averages import over_time as over_time  # one value a stimulus and unit: the sum of counts, the mean of the rest
from .averages import rebin as rebin  # coarser time bins
from .rates import firing_rate as firing_rate  # spikes smoothed by a kernel of fixed, best or adaptive width
from .variability import psth as psth  # the rate over time, averaged over trials, with its interval
from .residuals import regress_out as regress_out  # what does not run with a label of the trials, such as running

# What a unit answers to
from .places import spatial_map as spatial_map  # the rate over places, and the information it carries
from .tuning import fit_tuning as fit_tuning  # a curve fitted to the tuning of every unit
from .selectivity import orientation_selectivity as orientation_selectivity  # one minus circular variance
from .selectivity import sparseness as sparseness  # how few stimuli a unit answers to, or units a stimulus
from .tuning import tuning_curve as tuning_curve  # the mean response to every value of a label, with its interval

# How reliably
from .reliability import select_reliable as select_reliable  # the units that answer the stimuli differently
from .reliability import signal_to_noise as signal_to_noise  # how much of the variance is signal; the ceiling of models
from .reliability import split_half_reliability as split_half_reliability  # halves of the trials against each other

# What a population tells
from .decoding import decode as decode  # a label of new stimuli or trials, over time too
from .decoding import generalise as generalise  # a label where another has a value that was not trained on
from .dimensionality import cross_validated_pca as cross_validated_pca  # the spectrum of the signal, free of noise
from .dimensionality import participation_ratio as participation_ratio  # the effective number of dimensions
from .demixed import demixed_pca as demixed_pca  # components that each tell of one label, or of time
from .gaussian_process_factors import gpfa as gpfa  # smooth latent trajectories of single trials
from .rotations import jpca as jpca  # planes in which courses rotate, against stimuli that are shuffled
from .separation import separation as separation  # how far apart inputs are, and how many dimensions they span
from .targeted import targeted_axes as targeted_axes  # orthogonal axes along which a population answers labels
from .unsupervised import cluster_stimuli as cluster_stimuli  # clusters of stimuli, without any labels
from .unsupervised import embed_stimuli as embed_stimuli  # a map of stimuli in few dimensions

# How variable spikes are
from .bursts import burst_statistics as burst_statistics  # how much units fire in bursts
from .bursts import first_spike_latency as first_spike_latency  # when every unit fires first
from .variability import fano_factor as fano_factor  # variance of counts over trials by their mean
from .variability import interval_variability as interval_variability  # CV and LV of interspike intervals

# How units go together
from .correlograms import cross_correlogram as cross_correlogram  # the rate of one unit around spikes of another
from .correlograms import synchrony as synchrony  # how far every pair of units fires together
from .variability import noise_correlation as noise_correlation  # from trial to trial of a stimulus
from .variability import signal_correlation as signal_correlation  # in their tuning

# How fields oscillate
from .coherences import coherence as coherence  # how far units oscillate together, free of bias, with phase and p value
from .time_frequency import spectrogram as spectrogram  # power by frequency, and over time in windows

# How well spike trains coincide
from .spike_matching import coincidence as coincidence  # prediction and repeats, against the neuron's reliability: Md*
from .spike_matching import coincidence_rate as coincidence_rate  # prediction and one trial, beyond chance: Gamma
from .spike_matching import spike_time_f1 as spike_time_f1  # the share of spikes with a partner
