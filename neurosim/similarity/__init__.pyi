"""Similarity: RDMs, their comparison and inference, alignment, predictivity, spike-train distances."""

# rdms
from .rdms import compute_rdm as compute_rdm  # compute the representational dissimilarity matrix of responses
from .parts import searchlights as searchlights  # return the units within `radius` of each unit, for the `by` of

# noise
from .noise import noise_precision as noise_precision  # estimate the inverse covariance of the noise of units, to

# spike rdms
from .spike_rdms import spike_rdm as spike_rdm  # compute RDMs from spike times

# comparison
from .comparison import compare_cka as compare_cka  # return the linear centred kernel alignment between all subjects
from .comparison import compare_rdms as compare_rdms  # compare every RDM of `a` with every RDM of `b`

# alignment
from .alignment import cca as cca  # return the mean canonical correlation of two sets of responses
from .alignment import cka as cka  # return the centred kernel alignment of two sets of responses
from .alignment import compare_by as compare_by  # score every part of `a` against every part of `b`, such as layers
from .alignment import jackknife as jackknife  # return a score with its uncertainty over stimuli, by leaving out

# shapes
from .shapes import ShapeMetric as ShapeMetric  # distance of two sets of responses as shapes, up to rotations of
from .shapes import soft_matching as soft_matching  # return the mean correlation of units under the best soft
from .shapes import stochastic_shape as stochastic_shape  # return the distance of two stochastic representations up

# dynamics
from .dynamics import dsa as dsa  # return how much two systems differ in their dynamics

# inference
from .inference import infer as infer  # score models against the RDMs of subjects, generalising to new subjects, new

from .inference_options import Fitting as Fitting  # how flexible models are fitted, in how many folds
from .inference_options import Resampling as Resampling  # to what an inference generalises, and how it knows
from .inference_options import Significance as Significance  # level of tests and intervals, correction for many models

# regression
from .regression import partition_variance as partition_variance  # split the explained variance of RDMs into what
from .regression import regress_rdm as regress_rdm  # regress the RDMs of subjects on several model RDMs at once

# reweighting
from .reweighting import reweight_features as reweight_features  # predict RDMs by weighting the features of a model,

# predictivity
from .predictivity import normalize as normalize  # return the score over its ceiling, sign kept and never clipped
from .predictivity import predict_responses as predict_responses  # score the prediction of held-out responses of

# arrangement
from .arrangement import arrange as arrange  # return points (n, 2) whose distances resemble `distances`
