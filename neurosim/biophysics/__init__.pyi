"""Biophysics: neurons, circuits, simulation in Brian2 and torch, the ladder of realism, fits to recordings."""

# A circuit, as data
from .circuit import Circuit as Circuit  # populations, the projections between them, and what is shown
from .inputs import Input as Input  # what is shown: spikes, intensities as Poisson spikes, or currents
from .populations import Population as Population  # neurons of one kind, and the synapses that they receive
from .projections import Projection as Projection  # synapses from one population, or the input, to another
from .circuit import Readout as Readout  # how spikes or membranes name a category
from .circuit import single_neuron as single_neuron  # one neuron that receives a current
from .circuit_files import load_circuit as load_circuit  # from a file, which never holds code
from .circuit_files import save_circuit as save_circuit  # to one netCDF file
from .nir_circuits import load_nir as load_nir  # a NIR graph from a file, of whatever tool
from .nir_data import load_nir_data as load_nir_data  # signals of a NIR graph from a file
from .nir_data import responses_to_nir as responses_to_nir  # what a circuit answered, as signals of its graph
from .nir_data import stimuli_from_nir as stimuli_from_nir  # signals of a NIR graph as stimuli

# SONATA, the format of large models
from .sonata import load_sonata as load_sonata  # a circuit of point neurons from its files
from .sonata_trains import sonata_stimuli as sonata_stimuli  # its files of spikes, as a stimulus for that circuit
from .sonata_writing import save_sonata as save_sonata  # to those files, and back bit for bit
from .sonata_trains import save_sonata_spikes as save_sonata_spikes  # spikes of a simulation, to a file
from .sonata_models import SONATA_MODELS as SONATA_MODELS  # point neurons that are the same here, by template
from .sonata_models import SonataModel as SonataModel  # what one is there, and here

# Connections by a rule, and where neurons are
from .connecting import connect as connect  # a projection, drawn by a rule
from .synapse_counts import count_synapses as count_synapses  # between every two populations, and how strong
from .positions import grid_positions as grid_positions  # places on a grid
from .positions import random_positions as random_positions  # places anywhere in a box
from .positions import ring_positions as ring_positions  # places on a circle
from .wiring import CONNECTION_RULES as CONNECTION_RULES  # the rules by name; .added(...) takes one of your own
from .wiring import ConnectionRule as ConnectionRule  # what a rule is: its numbers, and how it draws pairs
from .wiring.all_to_all import AllToAll as AllToAll  # every neuron to every other
from .wiring.exponential_distance import ExponentialDistance as ExponentialDistance  # less often with the distance
from .wiring.fixed_indegree import FixedIndegree as FixedIndegree  # so many sources for every target
from .wiring.fixed_outdegree import FixedOutdegree as FixedOutdegree  # so many targets for every source
from .wiring.fixed_probability import FixedProbability as FixedProbability  # every pair with one probability
from .wiring.fixed_total import FixedTotal as FixedTotal  # so many synapses in all
from .wiring.from_table import FromTable as FromTable  # the synapses of a table
from .wiring.gaussian_distance import GaussianDistance as GaussianDistance  # less often with the distance, as a bell
from .wiring.one_to_one import OneToOne as OneToOne  # each neuron to the one of its number
from .wiring.ring import Ring as Ring  # each neuron to its neighbours
from .distributions import DISTRIBUTIONS as DISTRIBUTIONS  # of weights and delays, by name
from .distributions import Distribution as Distribution  # what one is: its numbers, and how values are drawn
from .distributions.lognormal import Lognormal as Lognormal  # values of one sign, a few of them large
from .distributions.normal import Normal as Normal  # a bell
from .distributions.truncated import Truncated as Truncated  # another one within bounds
from .distributions.uniform import Uniform as Uniform  # anywhere between two bounds

# Neurons and synapses: their records, and the numbers of each
from .custom import CustomNeuron as CustomNeuron  # a neuron given by its equations
from .models import NEURONS as NEURONS  # the neurons by name; .added(...) takes one of your own
from .models import SYNAPSES as SYNAPSES  # the synapses by name
from .models import NeuronModel as NeuronModel  # what a neuron is: numbers, step, threshold, reset, reference
from .models import SynapseModel as SynapseModel  # what synapses are: numbers, step, reference
from .neurons.adaptive_lif import AdaptiveLIFParameters as AdaptiveLIFParameters  # its threshold rises with its spikes
from .neurons.adex import AdExParameters as AdExParameters  # exponential upstroke and adaptation
from .neurons.gif import GIFParameters as GIFParameters  # memory of spikes and membrane, random spikes
from .neurons.hodgkin_huxley import HodgkinHuxleyParameters as HodgkinHuxleyParameters  # sodium and potassium
from .neurons.izhikevich import IzhikevichParameters as IzhikevichParameters  # four numbers for all patterns
from .neurons.lif import LIFParameters as LIFParameters  # leaky integrate-and-fire in volts
from .neurons.pinsky_rinzel import PinskyRinzelParameters as PinskyRinzelParameters  # soma and dendrite
from .neurons.quadratic_if import QuadraticIFParameters as QuadraticIFParameters  # quadratic integrate-and-fire
from .neurons.squid_axon import SquidAxonParameters as SquidAxonParameters  # Hodgkin and Huxley 1952
from .neurons.wang_buzsaki import WangBuzsakiParameters as WangBuzsakiParameters  # fast-spiking interneuron
from .neurons.poisson import PoissonParameters as PoissonParameters  # a Poisson process that inputs modulate
from .synapses.alpha import AlphaParameters as AlphaParameters  # an alpha-shaped current
from .synapses.alpha_conductance import AlphaConductanceParameters as AlphaConductanceParameters  # ... conductance
from .synapses.conductance import ConductanceParameters as ConductanceParameters  # excitation and inhibition apart
from .synapses.delta import DeltaParameters as DeltaParameters  # a jump of the membrane
from .synapses.double_exponential import (
    DoubleExponentialParameters as DoubleExponentialParameters,  # rise and fall
)
from .synapses.double_exponential_conductance import (
    DoubleExponentialConductanceParameters as DoubleExponentialConductanceParameters,  # GABA-B, slow AMPA
)
from .synapses.exponential import ExponentialParameters as ExponentialParameters  # a current that decays
from .synapses.exponential_conductance import (
    ExponentialConductanceParameters as ExponentialConductanceParameters,  # AMPA, GABA-A
)
from .synapses.gap_junction import GapJunctionParameters as GapJunctionParameters  # membranes coupled both ways
from .synapses.nmda import NMDAParameters as NMDAParameters  # with magnesium block

# What reaches neurons beside the stimulus
from .background import Poisson as Poisson  # a background of Poisson spikes at any rate
from .currents.given import GivenCurrent as GivenCurrent  # of given samples
from .currents.ornstein_uhlenbeck import OrnsteinUhlenbeckCurrent as OrnsteinUhlenbeckCurrent  # that wanders
from .currents.ramp import RampCurrent as RampCurrent  # that rises evenly
from .currents.sine import SineCurrent as SineCurrent  # that swings
from .currents.steps import StepCurrent as StepCurrent  # that steps from one value to the next
from .injection import CURRENTS as CURRENTS  # the injected currents by name; .added(...) takes one of your own
from .injection import CurrentModel as CurrentModel  # what a current is: numbers, course
from .protocols import protocol as protocol  # currents as stimuli, one a stimulus

# What changes what a spike brings: release and plasticity
from .learning import Learned as Learned  # the circuit afterwards, its responses, its weights over time
from .learning import learn as learn  # show stimuli one after another while weights change
from .plasticity.clopath import ClopathParameters as ClopathParameters  # by the membrane
from .plasticity.dopamine_stdp import DopamineSTDPParameters as DopamineSTDPParameters  # by pairs and a third factor
from .plasticity.inhibitory_stdp import InhibitorySTDPParameters as InhibitorySTDPParameters  # towards a rate
from .plasticity.pair_stdp import PairSTDPParameters as PairSTDPParameters  # by pairs of spikes
from .plasticity.synaptic_scaling import SynapticScalingParameters as SynapticScalingParameters  # homeostasis
from .plasticity.triplet_stdp import TripletSTDPParameters as TripletSTDPParameters  # by triplets of spikes
from .releases.failing import FailingParameters as FailingParameters  # synapses that fail at random
from .releases.saturating import SaturatingParameters as SaturatingParameters  # receptors that saturate
from .releases.tsodyks_markram import TsodyksMarkramParameters as TsodyksMarkramParameters  # depress, facilitate
from .rules import PLASTICITY as PLASTICITY  # the plasticity rules by name; .added(...) takes one of your own
from .rules import RELEASES as RELEASES  # the releases by name
from .rules import PlasticityModel as PlasticityModel  # what a rule is: traces, and how weights change by them
from .rules import ReleaseModel as ReleaseModel  # what a release is: state, and the share that a spike brings

# Circuits with a name
from .circuits.decision import DecisionOptions as DecisionOptions  # sizes and weights of "decision"
from .circuits.gabor_adex import GaborAdExOptions as GaborAdExOptions  # sizes and rates of "gabor_adex"
from .circuits.lgn_v1 import LGNV1Options as LGNV1Options  # sizes and times of "lgn_v1"
from .circuits.izhikevich import IzhikevichOptions as IzhikevichOptions  # sizes and noise of "izhikevich"
from .circuits.ring_v1 import RingV1Options as RingV1Options  # sizes and times of "ring_v1"
from .named_circuits import CIRCUITS as CIRCUITS  # the circuits by name; .added(...) takes one of your own
from .named_circuits import NamedCircuit as NamedCircuit  # what one is: options, builder, input, papers
from .named_circuits import build_circuit as build_circuit  # build one of them

# Simulation
from .execution import ENGINES as ENGINES  # what runs a circuit, by name: Brian2 in three ways, torch
from .execution import Execution as Execution  # device, precision, memory, processes, threads
from .simulation import Monitors as Monitors  # what is kept: bins, spike times, membranes, a tail
from .simulation import choose_category as choose_category  # the category that the spikes name
from .field_potential import lfp_proxy as lfp_proxy  # a field potential from synaptic currents
from .simulation import simulate as simulate  # run a circuit on every stimulus and count the spikes

# Neurons with a shape
from .cables import CableParameters as CableParameters  # their membrane, and what is inside
from .cables import simulate_morphology as simulate_morphology  # inject currents, record everywhere
from .morphology import Morphology as Morphology  # labelled points of a neuron
from .morphology import load_swc as load_swc  # from an SWC file

# Brian2 networks of your own
from .brian2_networks import Recorded as Recorded  # spikes, traces and rates of its monitors
from .brian2_networks import record_brian2 as record_brian2  # show stimuli to any network, and read its monitors
from .brian2_script import to_brian2 as to_brian2  # a circuit of ours as a Brian2 script, equal in every spike

# The ladder of realism, and experiments
from .calibration import calibrate as calibrate  # gain and bias of every neuron, to answer as trained
from .making_biological import Biological as Biological  # the circuit, and what each stage kept
from .making_biological import make_biological as make_biological  # climb, calibrate, retune and measure, in one call
from .matching import MATCHES as MATCHES  # what calibration can match, by name
from .matching import Match as Match  # what one is: its cost, and the band of rates
from .ladder import RUNGS as RUNGS  # the rungs by name, from the lowest: what each brings, and its paper
from .ladder import Ladder as Ladder  # the numbers of all rungs
from .ladder import climb as climb  # make a circuit biological, one rung at a time
from .circuit_perturbation import perturb_circuit as perturb_circuit  # lesion, silence, stimulate, add noise
from .retuning import RetuningOptions as RetuningOptions  # what is learned and how
from .homeostasis import homeostasis as homeostasis  # back to the rates of the trained network, without the task
from .retuning import retune as retune  # learn the task on the circuit itself, by surrogate gradients

# Fits to recordings
from .fitting.coupled import fit_coupled as fit_coupled  # a population: stimulus, covariates, history, coupling
from .fitting.driven import fit_driven as fit_driven  # a spiking neuron and how a stimulus drives it
from .fitting.electrode import compensate as compensate  # take the electrode off a recording
from .fitting.electrode import estimate_electrode as estimate_electrode  # electrode, capacitance, input resistance
from .fitting.neuron import fit_neuron as fit_neuron  # a point neuron to current clamp
from .fitting.neuron import predict_spikes as predict_spikes  # the spikes of a fitted neuron
from .fitting.receptive_field import fit_poisson as fit_poisson  # linear-nonlinear Poisson, with or without history
from .fitting.receptive_field import spike_triggered_average as spike_triggered_average  # the stimulus around spikes
from .fitting.detection import detect_spikes as detect_spikes  # spikes in a recorded membrane
