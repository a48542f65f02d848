"""neurosim: trained networks, Brian2 circuits and recorded brains compared as representations, reproducibly.

Public names are attached lazily: importing the package loads neither torch, nor brian2, nor matplotlib. The whole
API is readable in ``neurosim/__init__.pyi``.
"""

import importlib

__version__ = "0.1.0"

_PUBLIC = {
    "schema": (
        "InputError",
        "Perturbation",
        "SchemaError",
        "as_rdm",
        "as_responses",
        "as_stimuli",
        "as_sweeps",
        "as_trials",
    ),
    "parameters": (
        "AdExParameters",
        "AdaptiveLIFParameters",
        "ConductanceParameters",
        "DeltaParameters",
        "DiscreteLIFParameters",
        "DiscreteSynapticParameters",
        "ExponentialParameters",
        "GIFParameters",
        "HodgkinHuxleyParameters",
        "LIFParameters",
    ),
    "storage": ("StorageError", "data_folder", "use_data_folder"),
    "stimuli.images": ("balanced", "load_digits", "load_image_folder"),
    "stimuli.cifar10": ("load_cifar10",),
    "stimuli.mnist": ("load_mnist",),
    "stimuli.files": ("load_stimuli",),
    "stimuli.encoders": ("encode_rate",),
    "stimuli.gabors": ("gabor_energy",),
    "tasks.classification": ("classification_task",),
    "networks.specifications": (
        "ConvNetSpecification",
        "EfficientNetLite0Specification",
        "RateRNNSpecification",
        "SpikingConvNetSpecification",
        "SpikingMLPSpecification",
    ),
    "networks.architectures": ("build_network",),
    "networks.training": ("TrainingOptions", "train"),
    "networks.evaluation": ("classical_baselines", "evaluate"),
    "networks.recording": ("record_responses",),
    "networks.perturbation": ("perturbed",),
    "networks.stepwise": ("OverTime",),
    "biophysics.circuit": ("Circuit", "Input", "Population", "Projection", "Readout", "single_neuron"),
    "biophysics.circuit_files": ("load_circuit", "save_circuit"),
    "biophysics.custom": ("CustomNeuron",),
    "biophysics.exchange": ("load_nir",),
    "biophysics.simulation": ("Execution", "choose_category", "simulate"),
    "biophysics.ladder": ("Ladder", "climb"),
    "biophysics.calibration": ("calibrate",),
    "biophysics.retuning": ("RetuningOptions", "homeostasis", "retune"),
    "biophysics.perturbation": ("perturb_circuit",),
    "biophysics.fitting.spikes": ("detect_spikes",),
    "biophysics.fitting.electrode": ("compensate", "estimate_electrode"),
    "biophysics.fitting.neuron": ("fit_neuron", "predict_spikes"),
    "biophysics.fitting.driven": ("fit_driven",),
    "biophysics.fitting.receptive_field": ("fit_poisson", "spike_triggered_average"),
    "bridge": ("to_circuit", "to_nir", "verify_translation"),
    "experiments": ("perturbation_effect",),
    "power": ("power_analysis",),
    "biophysics.gabor_adex": ("gabor_adex_circuit",),
    "recordings.files": ("load_responses",),
    "recordings.spikes": ("align_spikes", "bin_spikes", "load_spikes"),
    "recordings.events": ("align_series",),
    "recordings.sweeps": ("load_sweeps",),
    "recordings.nwb": ("load_nwb_responses", "load_nwb_series", "save_nwb"),
    "recordings.neo": ("load_neo", "neo_events", "neo_series", "neo_spikes"),
    "recordings.fmri": ("load_betas",),
    "recordings.meg": ("load_epochs",),
    "recordings.datasets": ("list_datasets", "load_dataset"),
    "recordings.registry": ("register_datasets",),
    "recordings.synthetic": ("synthetic_brain",),
    "responses.averages": ("average_trials", "over_time", "rebin"),
    "responses.rates": ("firing_rate",),
    "responses.tuning": ("fit_tuning", "orientation_selectivity", "sparseness", "tuning_curve"),
    "responses.places": ("spatial_map",),
    "responses.reliability": ("select_reliable", "signal_to_noise", "split_half_reliability"),
    "responses.dimensionality": ("cross_validated_pca", "participation_ratio"),
    "responses.decoding": ("decode", "generalise"),
    "responses.bursts": ("burst_statistics", "first_spike_latency"),
    "responses.synchrony": ("cross_correlogram", "synchrony"),
    "responses.spike_matching": ("coincidence", "coincidence_rate", "spike_time_f1"),
    "responses.variability": (
        "fano_factor",
        "interval_variability",
        "noise_correlation",
        "psth",
        "signal_correlation",
    ),
    "similarity.rdms": ("compute_rdm", "searchlights"),
    "similarity.noise": ("noise_precision",),
    "similarity.spike_rdms": ("spike_rdm",),
    "similarity.comparison": ("compare_cka", "compare_rdms"),
    "similarity.alignment": ("cca", "cka", "compare_by", "jackknife"),
    "similarity.shapes": ("ShapeMetric", "soft_matching", "stochastic_shape"),
    "similarity.dynamics": ("dsa",),
    "similarity.inference": ("infer",),
    "similarity.regression": ("partition_variance", "regress_rdm"),
    "similarity.reweighting": ("reweight_features",),
    "similarity.predictivity": ("normalize", "predict_responses"),
    "similarity.arrangement": ("arrange",),
    "plots.geometry": (
        "plot_arrangement",
        "plot_layer_time",
        "plot_matrix",
        "plot_rdm",
        "plot_rdm_movie",
        "plot_stimulus_map",
    ),
    "plots.pictures": ("plot_raster", "plot_stimuli"),
    "plots.recordings": ("plot_generalisation", "plot_sweeps", "plot_time_course", "plot_tuning"),
    "plots.scores": ("plot_profiles", "plot_scores"),
    "plots.canvas": ("house_style",),
    "study.run": ("check_study", "find_study", "run_study", "study_status"),
    "study.given": ("compare_subjects", "new_study"),
    "study.verify": ("check_results", "environment_changes", "rerun_results"),
    "study.doctor": ("examine_machine",),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'neurosim' has no attribute {name!r}; public names: {', '.join(__all__)}")
    return getattr(importlib.import_module(f"neurosim.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
