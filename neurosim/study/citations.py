"""The papers behind the methods that a study uses, to be cited with it."""

from __future__ import annotations

from neurosim.biophysics.ladder import rungs_up_to
from neurosim.recordings.datasets import load_citation
from neurosim.study.config import (
    CircuitSubject,
    DatasetBrain,
    DigitsStimuli,
    NetworkSubject,
    Study,
    SyntheticBrain,
    TwinSubject,
)

DIGITS = "Alpaydin E, Kaynak C (1998) Optical recognition of handwritten digits, https://doi.org/10.24432/C50P49"
CIFAR10 = "Krizhevsky A (2009) Learning multiple layers of features from tiny images, https://www.cs.toronto.edu/~kriz/cifar.html"
RSA = "Kriegeskorte N, Mur M, Bandettini P (2008) Front Syst Neurosci 2:4, https://doi.org/10.3389/neuro.06.004.2008"
INFERENCE = (
    "Schuett HH, Kipnis AD, Diedrichsen J, Kriegeskorte N (2023) eLife 12:e82566, https://doi.org/10.7554/eLife.82566"
)
JACKKNIFE = "Efron B, Stein C (1981) Ann Statist 9:586-596, https://doi.org/10.1214/aos/1176345462"
CEILING = "Nili H, Wingfield C, Walther A, et al. (2014) PLoS Comput Biol 10:e1003553, https://doi.org/10.1371/journal.pcbi.1003553"
HOLM = "Holm S (1979) Scand J Statist 6:65-70, https://www.jstor.org/stable/4615733"
FDR = "Benjamini Y, Hochberg Y (1995) J R Stat Soc B 57:289-300, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x"
CROSSNOBIS = (
    "Walther A, Nili H, Ejaz N, et al. (2016) NeuroImage 137:188-200, https://doi.org/10.1016/j.neuroimage.2015.12.012"
)
CKA = "Kornblith S, Norouzi M, Lee H, Hinton G (2019) ICML, https://arxiv.org/abs/1905.00414"
DEBIASED_CKA = "Nguyen T, Raghu M, Kornblith S (2021) ICLR, https://arxiv.org/abs/2010.15327"
MDS = "Kruskal JB (1964) Psychometrika 29:1-27, https://doi.org/10.1007/BF02289565"
SNNTORCH = "Eshraghian JK, Ward M, Neftci EO, et al. (2023) Proc IEEE 111:1016-1054, https://doi.org/10.1109/JPROC.2023.3308088"
BRIAN2 = "Stimberg M, Brette R, Goodman DFM (2019) eLife 8:e47314, https://doi.org/10.7554/eLife.47314"
NIR = "Pedersen JE, Abreu S, Jobst M, et al. (2024) Nat Commun 15:8122, https://doi.org/10.1038/s41467-024-52259-9"
ADEX = "Brette R, Gerstner W (2005) J Neurophysiol 94:3637-3642, https://doi.org/10.1152/jn.00686.2005"
GABOR = "Adelson EH, Bergen JR (1985) J Opt Soc Am A 2:284-299, https://doi.org/10.1364/JOSAA.2.000284"
RATE_RNN = "Song HF, Yang GR, Wang XJ (2016) PLoS Comput Biol 12:e1004792, https://doi.org/10.1371/journal.pcbi.1004792"
EFFICIENTNET = "Tan M, Le QV (2019) ICML, https://arxiv.org/abs/1905.11946"
SURROGATE = (
    "Neftci EO, Mostafa H, Zenke F (2019) IEEE Signal Process Mag 36:51-63, https://doi.org/10.1109/MSP.2019.2931595"
)
PYTORCH = "Paszke A, Gross S, Massa F, et al. (2019) NeurIPS, https://arxiv.org/abs/1912.01703"


def citations(study: Study) -> list[tuple[str, str]]:
    """Return (what it was used for, reference) for everything that `study` uses."""
    found = [
        ("representational similarity analysis", RSA),
        ("noise ceiling", CEILING),
        ("inference over subjects and stimuli", INFERENCE),
        *([("two-factor jackknife", JACKKNIFE)] if study.comparison.estimate == "jackknife" else []),
        ("correction for several models", HOLM if study.comparison.correction == "holm" else FDR),
        ("centred kernel alignment", CKA),
        ("its unbiased estimate", DEBIASED_CKA),
        ("arrangement of subjects", MDS),
    ]
    for subject in study.subjects.values():
        if isinstance(subject, NetworkSubject):
            found += _of_network(subject)
        elif isinstance(subject, TwinSubject):
            found += [("biological simulation", BRIAN2), ("translation", NIR)]
            found += [(r.brings.caption, r.brings.reference) for r in rungs_up_to(subject.rung) if r.brings]
            found += [("retuning by surrogate gradients", SURROGATE)] if subject.retuning_epochs else []
        elif isinstance(subject, CircuitSubject):
            found += [("biological simulation", BRIAN2), ("AdEx neurons", ADEX), ("Gabor energy", GABOR)]
    for brain in study.brains.values():
        if isinstance(brain, DatasetBrain):
            found.append(("recording", load_citation(brain.dataset)))
        elif brain.metric == "crossnobis":
            found.append(("cross-validated distances", CROSSNOBIS))
        if isinstance(brain, SyntheticBrain) and "gabor" in brain.tuning:
            found.append(("Gabor energy", GABOR))
    if isinstance(study.stimuli, DigitsStimuli):
        found.append(("stimuli", DIGITS))
    return list(dict.fromkeys(found))


def _of_network(subject: NetworkSubject) -> list[tuple[str, str]]:
    found = [("networks", PYTORCH)]
    found += (
        [("spiking neurons and surrogate gradients", SNNTORCH)] if subject.architecture.startswith("Spiking") else []
    )
    found += [("leaky rate network", RATE_RNN)] if subject.architecture == "RateRNN" else []
    found += [("EfficientNet", EFFICIENTNET)] if subject.architecture == "EfficientNetLite0" else []
    found += [("training images", CIFAR10)] if subject.training and subject.training.task == "cifar10" else []
    return found
