"""Networks: architectures, training, recording, explanation, perturbation, exchange."""

# specifications
from .specifications import AutoencoderSpecification as AutoencoderSpecification  # convolutional autoencoder
from .specifications import ConvNetSpecification as ConvNetSpecification  # convolutional network
from .specifications import EfficientNetLite0Specification as EfficientNetLite0Specification  # efficientNet-Lite0
from .specifications import GRUSpecification as GRUSpecification  # gated recurrent network (GRU) that reads words,
from .specifications import LSTMSpecification as LSTMSpecification  # long short-term memory network; its values are
from .specifications import LeakyRNNSpecification as LeakyRNNSpecification  # leaky rate network that answers in
from .specifications import MLPSpecification as MLPSpecification  # fully connected network
from .specifications import RateRNNSpecification as RateRNNSpecification  # leaky rate network
from .specifications import SpikingConvNetSpecification as SpikingConvNetSpecification  # spiking convolutional
from .specifications import SpikingMLPSpecification as SpikingMLPSpecification  # spiking fully connected network
from .specifications import SpikingRNNSpecification as SpikingRNNSpecification  # spiking network that reads sequences
from .specifications import TransformerSpecification as TransformerSpecification  # transformer encoder
from .specifications import VAESpecification as VAESpecification  # variational autoencoder
from .specifications import VisionSpecification as VisionSpecification  # A published network of torchvision

# architectures
from .architectures import build_network as build_network  # build the torch module of a specification
from .architectures import n_parameters as n_parameters  # return the number of parameters of a network

# transformer
from .transformer import PretrainedEncoder as PretrainedEncoder  # A BERT-style encoder from a local Hugging Face
from .transformer import words_for as words_for  # return sentences, the ``text`` of stimuli, as words (stimulus,

# generative
from .generative import GAN as GAN  # A generator of images and the discriminator that teaches it
from .generative import train_gan as train_gan  # train generator and discriminator in turn, each against the other

# som
from .som import SelfOrganisingMap as SelfOrganisingMap  # units on a grid that prefer the stimulus their weights
from .som import train_som as train_som  # organise the map, all stimuli at once an epoch (the batch rule), while the

# layers
from .spiking.layers import SpikingLayer as SpikingLayer  # spiking neurons over whole sequences (time, batch, ...);

# surrogates
from .spiking.surrogates import Surrogate as Surrogate  # the gradient of a spike by its distance from threshold,

# eprop
from .spiking.eprop import eprop_gradients as eprop_gradients  # set the gradients of the cross-entropy of the

# nir networks
from .nir_networks import from_nir as from_nir  # return a NIR graph as a network of torch, with copies of all

# conversion
from .conversion import SpikingSequence as SpikingSequence  # layers and spiking neurons one after another, each over
from .conversion import from_snntorch as from_snntorch  # return a sequence of snnTorch neurons and other layers as
from .conversion import to_snntorch as to_snntorch  # return one of our spiking networks as a sequence of snnTorch

# optimization
from .optimization import TrainingOptions as TrainingOptions  # how a network is trained: by default Adam with a

# training
from .training import train as train  # train `network` in place on `task` by gradient descent

# transfer
from .transfer import replace_head as replace_head  # replace the last linear layer of `network`, in place, by an

# evaluation
from .evaluation import classical_baselines as classical_baselines  # return the test accuracy of classical
from .evaluation import evaluate as evaluate  # return the test performance of a network, by the measures of
from .evaluation import over_seeds as over_seeds  # return the mean of every measure over trained instances, with its

# recording
from .recording import record_responses as record_responses  # show `stimuli` to a network and record the output of

# streaming
from .streaming import open_streamed as open_streamed  # open responses that were streamed to a file; values are

# explanation
from .explanation import attention_rollout as attention_rollout  # return how much of each word reaches the answer
from .explanation import explain as explain  # return how much each value of each stimulus matters for one output, by
from .explanation import maximise_activation as maximise_activation  # return images that excite units of a layer

# perturbation
from .perturbation import perturbed as perturbed  # run a network with some of its units lesioned, silenced, clamped,

# stepwise
from .stepwise import OverTime as OverTime  # A sequence of layers and snnTorch neurons, run over (time, batch, ...)
