"""Biophysics: neurons, circuits, simulation in Brian2 and torch, the ladder of realism, fits to recordings."""

# circuit
from .circuit import Circuit as Circuit  # populations in the order in which the signal reaches them, and the
from .circuit import Input as Input  # what the circuit is shown
from .circuit import Population as Population  # neurons of one kind and the synapses that they receive
from .circuit import Projection as Projection  # synapses from one population (or ``"input"``) to another
from .circuit import Readout as Readout  # how spikes name a category: mean spikes a step of `source`, times
from .circuit import single_neuron as single_neuron  # return a circuit of one neuron that receives a current:

# circuits with a name
from .named_circuits import CIRCUITS as CIRCUITS  # the circuits by name; .added(...) takes one of your own
from .named_circuits import build_circuit as build_circuit  # build one of them
from .circuits.gabor_adex import GaborAdExOptions as GaborAdExOptions  # sizes and rates of the Gabor-AdEx circuit
from .named_circuits import NamedCircuit as NamedCircuit  # what one is: options, builder, input, papers

# circuit files
from .circuit_files import load_circuit as load_circuit  # read a circuit that :func:`save_circuit` wrote; unknown
from .circuit_files import save_circuit as save_circuit  # write a circuit to one netCDF file: numbers as arrays,

# neurons and synapses: the records, and the numbers of each
from .models import NEURONS as NEURONS  # the neuron models by name; .added(...) takes one of your own
from .neurons.adaptive_lif import AdaptiveLIFParameters as AdaptiveLIFParameters  # its threshold rises with its spikes
from .neurons.adex import AdExParameters as AdExParameters  # exponential upstroke and adaptation
from .neurons.gif import GIFParameters as GIFParameters  # memory of spikes and membrane, random spikes
from .neurons.hodgkin_huxley import HodgkinHuxleyParameters as HodgkinHuxleyParameters  # sodium and potassium currents
from .neurons.lif import LIFParameters as LIFParameters  # leaky integrate-and-fire in volts
from .models import NeuronModel as NeuronModel  # what a neuron is: numbers, step, threshold, reset, reference
from .models import SynapseModel as SynapseModel  # what synapses are: numbers, step, reference
from .models import SYNAPSES as SYNAPSES  # the synapse models by name
from .synapses.conductance import ConductanceParameters as ConductanceParameters  # excitation and inhibition apart
from .synapses.delta import DeltaParameters as DeltaParameters  # a jump of the membrane
from .synapses.exponential import ExponentialParameters as ExponentialParameters  # a current that decays

# custom
from .custom import CustomNeuron as CustomNeuron  # A neuron given by its equations, in plain numbers of SI units;

# NIR
from .nir_circuits import (
    load_nir as load_nir,
)  # read a NIR graph from a file, of whatever tool

# simulation
from .execution import ENGINES as ENGINES  # what runs a circuit, by name
from .execution import Execution as Execution  # where and how a simulation runs; no result depends on it, but for
from .simulation import Monitors as Monitors  # what is kept: bins, spike times, membranes, a tail
from .simulation import choose_category as choose_category  # return the index of the category that the spikes of a
from .simulation import simulate as simulate  # run `circuit` on every stimulus and count the spikes of every neuron

# ladder
from .ladder import Ladder as Ladder  # the numbers of all rungs
from .ladder import RUNGS as RUNGS  # the rungs by name, from the lowest: what each brings, and its paper
from .ladder import climb as climb  # return the circuit on a higher rung of the ladder, through all rungs between

# calibration
from .calibration import calibrate as calibrate  # find for each population, in sequence, the gain and bias with

# retuning
from .retuning import RetuningOptions as RetuningOptions  # how a circuit is retuned
from .retuning import homeostasis as homeostasis  # move the bias of every neuron until it fires as often as in the
from .retuning import retune as retune  # learn gains, biases, thresholds (and weights) of a circuit by surrogate

# perturbation
from .perturbation import perturb_circuit as perturb_circuit  # return the circuit with some units lesioned,

# spikes
from .fitting.spikes import detect_spikes as detect_spikes  # find the spikes of intracellular recordings: upward

# electrode
from .fitting.electrode import compensate as compensate  # return `sweeps` without the voltage that the electrode adds
from .fitting.electrode import estimate_electrode as estimate_electrode  # estimate electrode, capacitance and input

# neuron
from .fitting.neuron import fit_neuron as fit_neuron  # fit a point neuron to recordings of its membrane under a
from .fitting.neuron import predict_spikes as predict_spikes  # return the spikes of a fitted neuron that receives

# driven
from .fitting.driven import fit_driven as fit_driven  # fit a spiking neuron with a leaky membrane, a memory of its

# receptive field
from .fitting.receptive_field import fit_poisson as fit_poisson  # fit a linear-nonlinear Poisson model or, with a
from .fitting.receptive_field import spike_triggered_average as spike_triggered_average  # return the mean stimulus
