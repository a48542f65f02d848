"""The public API of neurosim, by room."""

from neurosim.schema import (
    InputError as InputError,
    SchemaError as SchemaError,
    as_rdm as as_rdm,
    as_responses as as_responses,
    as_stimuli as as_stimuli,
)
from neurosim.parameters import (
    AdExParameters as AdExParameters,
    ConductanceLIFParameters as ConductanceLIFParameters,
    DiscreteLIFParameters as DiscreteLIFParameters,
)
from neurosim.storage import StorageError as StorageError
from neurosim.stimuli.images import (
    balanced as balanced,
    load_cifar10 as load_cifar10,
    load_digits as load_digits,
    load_image_folder as load_image_folder,
)
from neurosim.stimuli.files import load_stimuli as load_stimuli
from neurosim.stimuli.encoders import encode_rate as encode_rate
from neurosim.stimuli.gabors import gabor_energy as gabor_energy
from neurosim.tasks.images import image_task as image_task
from neurosim.networks.specifications import (
    ConvNetSpecification as ConvNetSpecification,
    EfficientNetLite0Specification as EfficientNetLite0Specification,
    RateRNNSpecification as RateRNNSpecification,
    SpikingConvNetSpecification as SpikingConvNetSpecification,
    SpikingMLPSpecification as SpikingMLPSpecification,
)
from neurosim.networks.architectures import build_network as build_network
from neurosim.networks.training import TrainingOptions as TrainingOptions, train as train
from neurosim.networks.recording import record_responses as record_responses
from neurosim.networks.exchange import to_nir as to_nir
from neurosim.biophysics.circuit import Circuit as Circuit, Population as Population, Projection as Projection
from neurosim.biophysics.bridge import to_circuit as to_circuit, verify_translation as verify_translation
from neurosim.biophysics.ladder import calibrate as calibrate, climb as climb
from neurosim.biophysics.simulation import simulate as simulate
from neurosim.biophysics.gabor_adex import gabor_adex_circuit as gabor_adex_circuit
from neurosim.recordings.files import bin_spikes as bin_spikes, load_responses as load_responses
from neurosim.recordings.datasets import list_datasets as list_datasets, load_dataset as load_dataset
from neurosim.recordings.synthetic import synthetic_brain as synthetic_brain
from neurosim.responses.averages import average_trials as average_trials, over_time as over_time, rebin as rebin
from neurosim.responses.reliability import split_half_reliability as split_half_reliability
from neurosim.similarity.rdms import compute_rdm as compute_rdm
from neurosim.similarity.comparison import compare_cka as compare_cka, compare_rdms as compare_rdms
from neurosim.similarity.inference import infer as infer
from neurosim.similarity.arrangement import arrange as arrange
from neurosim.plots.geometry import (
    plot_arrangement as plot_arrangement,
    plot_layer_time as plot_layer_time,
    plot_matrix as plot_matrix,
    plot_rdm as plot_rdm,
)
from neurosim.plots.pictures import plot_raster as plot_raster, plot_stimuli as plot_stimuli
from neurosim.plots.scores import plot_profiles as plot_profiles, plot_scores as plot_scores
from neurosim.plots.canvas import house_style as house_style
from neurosim.study.run import run_study as run_study
from neurosim.study.given import compare_subjects as compare_subjects

__version__: str
