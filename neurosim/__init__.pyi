"""The public API of neurosim, by room."""

from neurosim.biophysics.calibration import (
    calibrate as calibrate,
)
from neurosim.biophysics.circuit import (
    Circuit as Circuit,
)
from neurosim.biophysics.circuit import (
    Input as Input,
)
from neurosim.biophysics.circuit import (
    Population as Population,
)
from neurosim.biophysics.circuit import (
    Projection as Projection,
)
from neurosim.biophysics.circuit import (
    Readout as Readout,
)
from neurosim.biophysics.circuit import (
    single_neuron as single_neuron,
)
from neurosim.biophysics.circuit_files import (
    load_circuit as load_circuit,
)
from neurosim.biophysics.circuit_files import (
    save_circuit as save_circuit,
)
from neurosim.biophysics.custom import (
    CustomNeuron as CustomNeuron,
)
from neurosim.biophysics.exchange import (
    load_nir as load_nir,
)
from neurosim.biophysics.fitting.driven import (
    fit_driven as fit_driven,
)
from neurosim.biophysics.fitting.electrode import (
    compensate as compensate,
)
from neurosim.biophysics.fitting.electrode import (
    estimate_electrode as estimate_electrode,
)
from neurosim.biophysics.fitting.neuron import (
    fit_neuron as fit_neuron,
)
from neurosim.biophysics.fitting.neuron import (
    predict_spikes as predict_spikes,
)
from neurosim.biophysics.fitting.receptive_field import (
    fit_poisson as fit_poisson,
)
from neurosim.biophysics.fitting.receptive_field import (
    spike_triggered_average as spike_triggered_average,
)
from neurosim.biophysics.fitting.spikes import (
    detect_spikes as detect_spikes,
)
from neurosim.biophysics.gabor_adex import (
    gabor_adex_circuit as gabor_adex_circuit,
)
from neurosim.biophysics.ladder import (
    Ladder as Ladder,
)
from neurosim.biophysics.ladder import (
    climb as climb,
)
from neurosim.biophysics.perturbation import (
    perturb_circuit as perturb_circuit,
)
from neurosim.biophysics.retuning import (
    RetuningOptions as RetuningOptions,
)
from neurosim.biophysics.retuning import (
    homeostasis as homeostasis,
)
from neurosim.biophysics.retuning import (
    retune as retune,
)
from neurosim.biophysics.simulation import (
    Execution as Execution,
)
from neurosim.biophysics.simulation import (
    choose_category as choose_category,
)
from neurosim.biophysics.simulation import (
    simulate as simulate,
)
from neurosim.bridge import (
    to_circuit as to_circuit,
)
from neurosim.bridge import (
    to_nir as to_nir,
)
from neurosim.bridge import (
    verify_translation as verify_translation,
)
from neurosim.experiments import (
    perturbation_effect as perturbation_effect,
)
from neurosim.networks.architectures import (
    build_network as build_network,
)
from neurosim.networks.architectures import (
    n_parameters as n_parameters,
)
from neurosim.networks.conversion import (
    SpikingSequence as SpikingSequence,
)
from neurosim.networks.conversion import (
    from_snntorch as from_snntorch,
)
from neurosim.networks.conversion import (
    to_snntorch as to_snntorch,
)
from neurosim.networks.evaluation import (
    classical_baselines as classical_baselines,
)
from neurosim.networks.evaluation import (
    evaluate as evaluate,
)
from neurosim.networks.evaluation import (
    over_seeds as over_seeds,
)
from neurosim.networks.explanation import (
    attention_rollout as attention_rollout,
)
from neurosim.networks.explanation import (
    explain as explain,
)
from neurosim.networks.explanation import (
    maximise_activation as maximise_activation,
)
from neurosim.networks.generative import (
    GAN as GAN,
)
from neurosim.networks.generative import (
    train_gan as train_gan,
)
from neurosim.networks.nir_networks import (
    from_nir as from_nir,
)
from neurosim.networks.optimization import (
    TrainingOptions as TrainingOptions,
)
from neurosim.networks.perturbation import (
    perturbed as perturbed,
)
from neurosim.networks.recording import (
    record_responses as record_responses,
)
from neurosim.networks.som import (
    SelfOrganisingMap as SelfOrganisingMap,
)
from neurosim.networks.som import (
    train_som as train_som,
)
from neurosim.networks.specifications import (
    AutoencoderSpecification as AutoencoderSpecification,
)
from neurosim.networks.specifications import (
    ConvNetSpecification as ConvNetSpecification,
)
from neurosim.networks.specifications import (
    EfficientNetLite0Specification as EfficientNetLite0Specification,
)
from neurosim.networks.specifications import (
    GRUSpecification as GRUSpecification,
)
from neurosim.networks.specifications import (
    LeakyRNNSpecification as LeakyRNNSpecification,
)
from neurosim.networks.specifications import (
    LSTMSpecification as LSTMSpecification,
)
from neurosim.networks.specifications import (
    MLPSpecification as MLPSpecification,
)
from neurosim.networks.specifications import (
    RateRNNSpecification as RateRNNSpecification,
)
from neurosim.networks.specifications import (
    SpikingConvNetSpecification as SpikingConvNetSpecification,
)
from neurosim.networks.specifications import (
    SpikingMLPSpecification as SpikingMLPSpecification,
)
from neurosim.networks.specifications import (
    SpikingRNNSpecification as SpikingRNNSpecification,
)
from neurosim.networks.specifications import (
    TransformerSpecification as TransformerSpecification,
)
from neurosim.networks.specifications import (
    VAESpecification as VAESpecification,
)
from neurosim.networks.specifications import (
    VisionSpecification as VisionSpecification,
)
from neurosim.networks.spiking.eprop import (
    eprop_gradients as eprop_gradients,
)
from neurosim.networks.spiking.layers import (
    SpikingLayer as SpikingLayer,
)
from neurosim.networks.spiking.surrogates import (
    Surrogate as Surrogate,
)
from neurosim.networks.stepwise import (
    OverTime as OverTime,
)
from neurosim.networks.streaming import (
    open_streamed as open_streamed,
)
from neurosim.networks.training import (
    train as train,
)
from neurosim.networks.transfer import (
    replace_head as replace_head,
)
from neurosim.networks.transformer import (
    PretrainedEncoder as PretrainedEncoder,
)
from neurosim.networks.transformer import (
    words_for as words_for,
)
from neurosim.parameters import (
    AdaptiveLIFParameters as AdaptiveLIFParameters,
)
from neurosim.parameters import (
    AdExParameters as AdExParameters,
)
from neurosim.parameters import (
    ConductanceParameters as ConductanceParameters,
)
from neurosim.parameters import (
    DeltaParameters as DeltaParameters,
)
from neurosim.parameters import (
    DiscreteAdaptiveLIFParameters as DiscreteAdaptiveLIFParameters,
)
from neurosim.parameters import (
    DiscreteLIFParameters as DiscreteLIFParameters,
)
from neurosim.parameters import (
    DiscreteSynapticParameters as DiscreteSynapticParameters,
)
from neurosim.parameters import (
    ExponentialParameters as ExponentialParameters,
)
from neurosim.parameters import (
    GIFParameters as GIFParameters,
)
from neurosim.parameters import (
    HodgkinHuxleyParameters as HodgkinHuxleyParameters,
)
from neurosim.parameters import (
    LIFParameters as LIFParameters,
)
from neurosim.plots.canvas import (
    house_style as house_style,
)
from neurosim.plots.geometry import (
    plot_arrangement as plot_arrangement,
)
from neurosim.plots.geometry import (
    plot_layer_time as plot_layer_time,
)
from neurosim.plots.geometry import (
    plot_matrix as plot_matrix,
)
from neurosim.plots.geometry import (
    plot_rdm as plot_rdm,
)
from neurosim.plots.geometry import (
    plot_rdm_movie as plot_rdm_movie,
)
from neurosim.plots.geometry import (
    plot_stimulus_map as plot_stimulus_map,
)
from neurosim.plots.pictures import (
    plot_raster as plot_raster,
)
from neurosim.plots.pictures import (
    plot_stimuli as plot_stimuli,
)
from neurosim.plots.recordings import (
    plot_generalisation as plot_generalisation,
)
from neurosim.plots.recordings import (
    plot_sweeps as plot_sweeps,
)
from neurosim.plots.recordings import (
    plot_time_course as plot_time_course,
)
from neurosim.plots.recordings import (
    plot_tuning as plot_tuning,
)
from neurosim.plots.scores import (
    plot_profiles as plot_profiles,
)
from neurosim.plots.scores import (
    plot_scores as plot_scores,
)
from neurosim.plots.training import (
    plot_attribution as plot_attribution,
)
from neurosim.plots.training import (
    plot_confusion as plot_confusion,
)
from neurosim.plots.training import (
    plot_psychometric as plot_psychometric,
)
from neurosim.plots.training import (
    plot_training as plot_training,
)
from neurosim.plots.training import (
    plot_words as plot_words,
)
from neurosim.power import (
    power_analysis as power_analysis,
)
from neurosim.recordings.datasets import (
    list_datasets as list_datasets,
)
from neurosim.recordings.datasets import (
    load_dataset as load_dataset,
)
from neurosim.recordings.events import (
    align_series as align_series,
)
from neurosim.recordings.files import (
    load_responses as load_responses,
)
from neurosim.recordings.fmri import (
    load_betas as load_betas,
)
from neurosim.recordings.meg import (
    load_epochs as load_epochs,
)
from neurosim.recordings.neo import (
    load_neo as load_neo,
)
from neurosim.recordings.neo import (
    neo_events as neo_events,
)
from neurosim.recordings.neo import (
    neo_series as neo_series,
)
from neurosim.recordings.neo import (
    neo_spikes as neo_spikes,
)
from neurosim.recordings.nwb import (
    load_nwb_responses as load_nwb_responses,
)
from neurosim.recordings.nwb import (
    load_nwb_series as load_nwb_series,
)
from neurosim.recordings.nwb import (
    save_nwb as save_nwb,
)
from neurosim.recordings.registry import (
    register_datasets as register_datasets,
)
from neurosim.recordings.spikes import (
    align_spikes as align_spikes,
)
from neurosim.recordings.spikes import (
    bin_spikes as bin_spikes,
)
from neurosim.recordings.spikes import (
    load_spikes as load_spikes,
)
from neurosim.recordings.sweeps import (
    load_sweeps as load_sweeps,
)
from neurosim.recordings.synthetic import (
    synthetic_brain as synthetic_brain,
)
from neurosim.responses.averages import (
    average_trials as average_trials,
)
from neurosim.responses.averages import (
    over_time as over_time,
)
from neurosim.responses.averages import (
    rebin as rebin,
)
from neurosim.responses.bursts import (
    burst_statistics as burst_statistics,
)
from neurosim.responses.bursts import (
    first_spike_latency as first_spike_latency,
)
from neurosim.responses.decoding import (
    decode as decode,
)
from neurosim.responses.decoding import (
    generalise as generalise,
)
from neurosim.responses.dimensionality import (
    cross_validated_pca as cross_validated_pca,
)
from neurosim.responses.dimensionality import (
    participation_ratio as participation_ratio,
)
from neurosim.responses.places import (
    spatial_map as spatial_map,
)
from neurosim.responses.rates import (
    firing_rate as firing_rate,
)
from neurosim.responses.reliability import (
    select_reliable as select_reliable,
)
from neurosim.responses.reliability import (
    signal_to_noise as signal_to_noise,
)
from neurosim.responses.reliability import (
    split_half_reliability as split_half_reliability,
)
from neurosim.responses.spike_matching import (
    coincidence as coincidence,
)
from neurosim.responses.spike_matching import (
    coincidence_rate as coincidence_rate,
)
from neurosim.responses.spike_matching import (
    spike_time_f1 as spike_time_f1,
)
from neurosim.responses.synchrony import (
    cross_correlogram as cross_correlogram,
)
from neurosim.responses.synchrony import (
    synchrony as synchrony,
)
from neurosim.responses.tuning import (
    fit_tuning as fit_tuning,
)
from neurosim.responses.tuning import (
    orientation_selectivity as orientation_selectivity,
)
from neurosim.responses.tuning import (
    sparseness as sparseness,
)
from neurosim.responses.tuning import (
    tuning_curve as tuning_curve,
)
from neurosim.responses.unsupervised import (
    cluster_stimuli as cluster_stimuli,
)
from neurosim.responses.unsupervised import (
    embed_stimuli as embed_stimuli,
)
from neurosim.responses.variability import (
    fano_factor as fano_factor,
)
from neurosim.responses.variability import (
    interval_variability as interval_variability,
)
from neurosim.responses.variability import (
    noise_correlation as noise_correlation,
)
from neurosim.responses.variability import (
    psth as psth,
)
from neurosim.responses.variability import (
    signal_correlation as signal_correlation,
)
from neurosim.schema import (
    InputError as InputError,
)
from neurosim.schema import (
    Perturbation as Perturbation,
)
from neurosim.schema import (
    SchemaError as SchemaError,
)
from neurosim.schema import (
    as_rdm as as_rdm,
)
from neurosim.schema import (
    as_responses as as_responses,
)
from neurosim.schema import (
    as_stimuli as as_stimuli,
)
from neurosim.schema import (
    as_sweeps as as_sweeps,
)
from neurosim.schema import (
    as_trials as as_trials,
)
from neurosim.similarity.alignment import (
    cca as cca,
)
from neurosim.similarity.alignment import (
    cka as cka,
)
from neurosim.similarity.alignment import (
    compare_by as compare_by,
)
from neurosim.similarity.alignment import (
    jackknife as jackknife,
)
from neurosim.similarity.arrangement import (
    arrange as arrange,
)
from neurosim.similarity.comparison import (
    compare_cka as compare_cka,
)
from neurosim.similarity.comparison import (
    compare_rdms as compare_rdms,
)
from neurosim.similarity.dynamics import (
    dsa as dsa,
)
from neurosim.similarity.inference import (
    infer as infer,
)
from neurosim.similarity.noise import (
    noise_precision as noise_precision,
)
from neurosim.similarity.predictivity import (
    normalize as normalize,
)
from neurosim.similarity.predictivity import (
    predict_responses as predict_responses,
)
from neurosim.similarity.rdms import (
    compute_rdm as compute_rdm,
)
from neurosim.similarity.rdms import (
    searchlights as searchlights,
)
from neurosim.similarity.regression import (
    partition_variance as partition_variance,
)
from neurosim.similarity.regression import (
    regress_rdm as regress_rdm,
)
from neurosim.similarity.reweighting import (
    reweight_features as reweight_features,
)
from neurosim.similarity.shapes import (
    ShapeMetric as ShapeMetric,
)
from neurosim.similarity.shapes import (
    soft_matching as soft_matching,
)
from neurosim.similarity.shapes import (
    stochastic_shape as stochastic_shape,
)
from neurosim.similarity.spike_rdms import (
    spike_rdm as spike_rdm,
)
from neurosim.stimuli.cifar10 import (
    load_cifar10 as load_cifar10,
)
from neurosim.stimuli.encoders import (
    encode_rate as encode_rate,
)
from neurosim.stimuli.events import (
    encode_delta as encode_delta,
)
from neurosim.stimuli.events import (
    load_nmnist as load_nmnist,
)
from neurosim.stimuli.events import (
    saccades as saccades,
)
from neurosim.stimuli.files import (
    load_stimuli as load_stimuli,
)
from neurosim.stimuli.gabors import (
    gabor_energy as gabor_energy,
)
from neurosim.stimuli.images import (
    balanced as balanced,
)
from neurosim.stimuli.images import (
    iterate_image_folder as iterate_image_folder,
)
from neurosim.stimuli.images import (
    load_digits as load_digits,
)
from neurosim.stimuli.images import (
    load_image_folder as load_image_folder,
)
from neurosim.stimuli.mnist import (
    load_mnist as load_mnist,
)
from neurosim.stimuli.sentences import (
    as_words as as_words,
)
from neurosim.stimuli.sentences import (
    load_sentences as load_sentences,
)
from neurosim.stimuli.sounds import (
    load_spoken_digits as load_spoken_digits,
)
from neurosim.stimuli.sounds import (
    mel_spectrogram as mel_spectrogram,
)
from neurosim.stimuli.time_series import (
    load_time_series as load_time_series,
)
from neurosim.storage import (
    StorageError as StorageError,
)
from neurosim.storage import (
    data_folder as data_folder,
)
from neurosim.storage import (
    use_data_folder as use_data_folder,
)
from neurosim.study.doctor import (
    examine_machine as examine_machine,
)
from neurosim.study.given import (
    compare_subjects as compare_subjects,
)
from neurosim.study.given import (
    new_study as new_study,
)
from neurosim.study.run import (
    check_study as check_study,
)
from neurosim.study.run import (
    find_study as find_study,
)
from neurosim.study.run import (
    run_study as run_study,
)
from neurosim.study.run import (
    study_status as study_status,
)
from neurosim.study.verify import (
    check_results as check_results,
)
from neurosim.study.verify import (
    environment_changes as environment_changes,
)
from neurosim.study.verify import (
    rerun_results as rerun_results,
)
from neurosim.tasks.classification import (
    classification_task as classification_task,
)
from neurosim.tasks.cognition import (
    cognitive_task as cognitive_task,
)
from neurosim.tasks.cognition import (
    psychometric as psychometric,
)
from neurosim.tasks.neurogym import (
    from_neurogym as from_neurogym,
)
from neurosim.tasks.yang import (
    yang_task as yang_task,
)

__version__: str
