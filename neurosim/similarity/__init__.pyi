"""Similarity: RDMs, their comparison and inference, alignment, predictivity, spike-train distances."""

# RDMs: how differently a subject answers every two stimuli
from .rdms import compute_rdm as compute_rdm  # the dissimilarity of every two stimuli
from .noise import noise_precision as noise_precision  # inverse covariance of the noise of units, with shrinkage
from .neighbourhoods import searchlights as searchlights  # the units near each unit
from .neighbourhoods import surface_searchlights as surface_searchlights  # the vertices near each one of a surface
from .spike_rdms import spike_rdm as spike_rdm  # RDMs of spike times

# RDMs of models and judgements
from .model_rdms import model_rdm as model_rdm  # what labels of stimuli say: categories, numbers, angles, trees
from .judgements import triplet_rdm as triplet_rdm  # which of three is the odd one out
from .judgements import arrangement_rdm as arrangement_rdm  # what people put near what

# RDMs against RDMs
from .comparison import compare_rdms as compare_rdms  # scores of every RDM with every other
from .searchlight_maps import searchlight_scores as searchlight_scores  # of every searchlight, by model
from .comparison import compare_cka as compare_cka  # centred kernel alignment from squared Euclidean RDMs
from .connectivity import representational_connectivity as representational_connectivity  # areas, less shared noise
from .connectivity import lagged_scores as lagged_scores  # RDMs of one area with those of another, later

# Inference: what holds for new subjects and new stimuli
from .inference import infer as infer  # scores with ceilings, intervals and tests
from .inference_options import Resampling as Resampling  # to what an inference generalises, and how it knows
from .inference_options import Fitting as Fitting  # how flexible models are fitted, in how many folds
from .inference_options import Significance as Significance  # level of tests, correction for many models
from .permutation import mantel_test as mantel_test  # are models related at all: stimuli exchange their labels
from .maps import sign_flip_test as sign_flip_test  # where in time and space scores are, corrected for all places
from .latencies import latencies as latencies  # when scores rise and are highest, with intervals
from .neighbours import neighbours as neighbours  # which places of a map are beside each other
from .neighbours import surface_neighbours as surface_neighbours  # which vertices share an edge
from .random_effects import combine_subjects as combine_subjects  # subjects who each saw stimuli of their own
from .regression import regress_rdm as regress_rdm  # RDMs as mixtures of model RDMs
from .regression import partition_variance as partition_variance  # what models explain alone and together
from .reweighting import reweight_features as reweight_features  # features weighted so that an RDM comes out

# Responses against responses, without RDMs
from .alignment import cka as cka  # centred kernel alignment, unbiased
from .alignment import cca as cca  # mean canonical correlation
from .shapes import ShapeMetric as ShapeMetric  # distance up to rotations (Procrustes), fitted and scored apart
from .shapes import soft_matching as soft_matching  # correlation of units under the best soft matching
from .shapes import stochastic_shape as stochastic_shape  # distance of noisy representations
from .dynamics import dsa as dsa  # how differently two systems move
from .alignment import compare_by as compare_by  # every layer against every area, by any measure
from .alignment import jackknife as jackknife  # any measure, with its uncertainty over stimuli
from .predictivity import predict_responses as predict_responses  # held-out responses of units, predicted
from .prediction_pairs import compare_predictions as compare_predictions  # do models predict differently well
from .predictivity import normalize as normalize  # a score over its ceiling

# Many subjects in one picture
from .arrangement import arrange as arrange  # points in the plane as far apart as subjects are
from .arrangement import stress as stress  # how badly those points tell the distances

# Kinds: what can be named, and the records to add one of your own
from .metric import METRICS as METRICS  # every RDM metric by name
from .metric import Metric as Metric  # what a metric is
from .model_kind import MODEL_KINDS as MODEL_KINDS  # every kind of model RDM by name
from .model_kind import ModelKind as ModelKind  # what a kind of model RDM is
from .method import METHODS as METHODS  # every method to compare RDMs by name
from .method import Method as Method  # what a method is
from .measure import MEASURES as MEASURES  # every measure of alignment by name
from .measure import Measure as Measure  # what a measure is
from .predictor import PREDICTORS as PREDICTORS  # every predictor of responses by name
from .predictor import Predictor as Predictor  # what a predictor is
from .shrinkage import SHRINKAGES as SHRINKAGES  # every estimate of the covariance of noise by name
from .shrinkage import Shrinkage as Shrinkage  # what a shrinkage is
from .map_statistic import MAP_STATISTICS as MAP_STATISTICS  # every statistic of maps by name
from .map_statistic import MapStatistic as MapStatistic  # what a statistic of maps is
from .weighting import WEIGHTINGS as WEIGHTINGS  # every way to weight the components of a model by name
from .weighting import Weighting as Weighting  # what a weighting is
from .spike_distance import SPIKE_DISTANCES as SPIKE_DISTANCES  # every spike-train distance by name
from .spike_distance import SpikeDistance as SpikeDistance  # what a spike-train distance is
