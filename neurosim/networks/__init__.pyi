"""Networks: architectures, training, recording, explanation, perturbation, exchange."""

# architectures
from .architecture import ARCHITECTURES as ARCHITECTURES  # every architecture by name
from .architecture import Architecture as Architecture  # the record of one: what it takes, learns and builds
from .architecture import Encoding as Encoding  # how pictures become input spikes
from .architecture import Requirement as Requirement  # what has to be installed
from .architecture import architecture_of as architecture_of  # the architecture of a specification
from .architecture import build_network as build_network  # the torch module of a specification
from .architecture import n_parameters as n_parameters  # number of parameters of a network

# their parameters
from .architectures.autoencoder import AutoencoderSpecification as AutoencoderSpecification  # autoencoder of images
from .architectures.conv_net import ConvNetSpecification as ConvNetSpecification  # convolutional
from .architectures.efficientnet_lite0 import EfficientNetLite0Specification as EfficientNetLite0Specification
from .architectures.efficientnet_lite1 import EfficientNetLite1Specification as EfficientNetLite1Specification
from .architectures.efficientnet_lite2 import EfficientNetLite2Specification as EfficientNetLite2Specification
from .architectures.equilibrium_mlp import EquilibriumMLPSpecification as EquilibriumMLPSpecification  # comes to rest
from .architectures.gru import GRUSpecification as GRUSpecification  # gated units
from .architectures.leaky_rnn import LeakyRNNSpecification as LeakyRNNSpecification  # rate units, cognitive tasks
from .architectures.liquid_state_machine import LiquidStateMachineSpecification as LiquidStateMachineSpecification
from .architectures.lstm import LSTMSpecification as LSTMSpecification  # long short-term memory
from .architectures.mlp import MLPSpecification as MLPSpecification  # fully connected
from .architectures.rate_rnn import RateRNNSpecification as RateRNNSpecification  # rate units, images row by row
from .architectures.sew_resnet import SEWResNetSpecification as SEWResNetSpecification  # spiking, residual
from .architectures.spikformer import SpikformerSpecification as SpikformerSpecification  # spiking, attention
from .architectures.spike_time_mlp import SpikeTimeMLPSpecification as SpikeTimeMLPSpecification  # who spikes first
from .architectures.spiking_conv_net import SpikingConvNetSpecification as SpikingConvNetSpecification
from .architectures.spiking_mlp import SpikingMLPSpecification as SpikingMLPSpecification  # input spikes
from .architectures.spiking_rnn import SpikingRNNSpecification as SpikingRNNSpecification  # recurrent, sequences
from .architectures.transformer import TransformerSpecification as TransformerSpecification  # attention
from .architectures.vae import VAESpecification as VAESpecification  # variational autoencoder of images
from .architectures.vision import VisionSpecification as VisionSpecification  # published networks of torchvision
from .shared_parameters import NeuronSpecification as NeuronSpecification  # neurons of the spiking ones
from .learnable import Learnable as Learnable  # which of their numbers are learned

# networks without a specification
from .transformer import PretrainedEncoder as PretrainedEncoder  # an encoder of text from a local folder
from .transformer import words_for as words_for  # sentences as its words
from .generative import GAN as GAN  # a generator of images and its discriminator
from .generative import train_gan as train_gan  # train both in turn
from .som import SelfOrganisingMap as SelfOrganisingMap  # units on a grid
from .som import train_som as train_som  # organise the map

# spiking layers
from .spiking.layers import SpikingLayer as SpikingLayer  # spiking neurons over whole sequences
from .spiking.spike_times import SpikeTimeLayer as SpikeTimeLayer  # neurons in continuous time, by their spike times
from .spiking.events import EventNeuron as EventNeuron  # the parameters of these
from .spiking.surrogates import Surrogate as Surrogate  # the gradient of a spike
from .spiking.delays import DelayedLinear as DelayedLinear  # weights whose delays are learned
from .spiking.delays import NarrowingDelays as NarrowingDelays  # a callback that narrows them
from .spiking.graded import GradedSpikes as GradedSpikes  # spikes times a factor
from .spiking.readout import MembraneReadout as MembraneReadout  # leaky units that answer without spikes
from .spiking.eprop import eprop_gradients as eprop_gradients  # gradients forward in time, by e-prop
from .stepwise import OverTime as OverTime  # snnTorch layers over whole sequences

# networks of rectified units as networks of spiking neurons
from .rate_conversion import conversion_loss as conversion_loss  # what that costs, by the number of steps
from .rate_conversion import to_spiking as to_spiking  # rates are activations, thresholds are balanced

# training and testing
from .optimization import TrainingOptions as TrainingOptions  # epochs, batch size, learning rate, ...
from .recomputing import recomputed as recomputed  # the gradient through time in less memory
from .training import Checkpoint as Checkpoint  # where a training is kept
from .training import train as train  # train a network on a task
from .learning_rule import LEARNING_RULES as LEARNING_RULES  # every learning rule by name
from .learning_rule import LearningRule as LearningRule  # the record of one: what it takes, its options and paper
from .learning.angles import gradient_angles as gradient_angles  # how far a rule is from the gradient
from .computing import Runtime as Runtime  # workers that read, kernels, layout
from .watching import Watch as Watch  # metrics, callbacks
from .watching import Moment as Moment  # what a callback is told
from .asked import Task as Task  # what train asks of a task
from .door import Data as Data  # loaders, datasets and iterables of one's own
from .contrastive import NTXent as NTXent  # learn without labels: two views are to be alike
from .linear_readout import fit_readout as fit_readout  # the last layer by ridge regression
from .transfer import replace_head as replace_head  # a new last layer
from .evaluation import evaluate as evaluate  # test performance, by the measures of the field
from .evaluation import over_instances as over_instances  # its mean over trained instances
from .evaluation import classical_baselines as classical_baselines  # what classical methods reach

# what it costs
from .operations import EnergyCosts as EnergyCosts  # what an operation costs, as an assumption
from .operations import synaptic_operations as synaptic_operations  # operations, sparsity, footprint

# options of learning rules
from .learning_rules.backpropagation import Backpropagation as Backpropagation  # the gradient
from .learning_rules.eprop import EProp as EProp  # eligibility traces
from .learning_rules.equilibrium_propagation import EquilibriumPropagation as EquilibriumPropagation  # two rests
from .learning_rules.predictive_coding import PredictiveCoding as PredictiveCoding  # errors of prediction
from .learning_rules.eventprop import EventProp as EventProp  # exact gradients of spike times
from .learning_rules.feedback_alignment import FeedbackAlignment as FeedbackAlignment  # errors through other weights
from .learning_rules.reward_stdp import RewardSTDP as RewardSTDP  # pairs of spikes, and a reward

# recording
from .axes import Reading as Reading  # how answers are read, and what of them is kept
from .recording import record_responses as record_responses  # what any module's layers answer
from .streaming import open_streamed as open_streamed  # responses that were streamed to a file

# explanation and perturbation
from .maximisation import AscentOptions as AscentOptions  # of maximise_activation
from .attention import attention_rollout as attention_rollout  # how much each word reaches the answer
from .explanation import explain as explain  # how much each value of a stimulus matters
from .maximisation import maximise_activation as maximise_activation  # images that excite a unit most
from .perturbation import perturbed as perturbed  # lesion, silence, clamp, stimulate or noise

# exchange with other tools
from .brain_score import save_brain_score as save_brain_score  # a network as a plugin folder of Brain-Score
from .brain_score import Pictures as Pictures  # how pictures reach it
from .conversion import SpikingSequence as SpikingSequence  # layers and neurons one after another
from .conversion import from_snntorch as from_snntorch  # a network of snnTorch as one of ours
from .conversion import to_snntorch as to_snntorch  # and back
from .nir_networks import from_nir as from_nir  # a network from a NIR graph
from .hugging_face import load_hugging_face as load_hugging_face  # a network from a folder of Hugging Face
from .hugging_face import save_hugging_face as save_hugging_face  # and back: weights, numbers and a card, no code
