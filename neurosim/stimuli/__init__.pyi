"""Stimuli: pictures, sentences, sounds, events, series, and their encoders."""

# images
from .images import balanced as balanced  # return the first `n_per_category` stimuli of every category, sorted by
from .images import iterate_image_folder as iterate_image_folder  # yield the pictures of a folder in batches, as
from .images import load_digits as load_digits  # return the 1797 scanned handwritten digits that ship with
from .images import load_image_folder as load_image_folder  # return the pictures of a folder; sub-folders give the

# cifar10
from .cifar10 import load_cifar10 as load_cifar10  # return CIFAR-10 photographs

# mnist
from .mnist import load_mnist as load_mnist  # return handwritten digits of MNIST (https://doi.org/10.1109/5.726791)

# files
from .files import load_stimuli as load_stimuli  # read stimuli from a folder of pictures or a file, or take an array

# encoders
from .encoders import encode_rate as encode_rate  # turn intensities into Bernoulli spike trains, one input unit a

# gabors
from .gabors import gabor_energy as gabor_energy  # return the Gabor energy of images on a grid of positions

# sentences
from .sentences import as_words as as_words  # return texts as stimuli (stimulus, time) of word numbers in the
from .sentences import load_sentences as load_sentences  # return labelled sentences: "mr", "subj",

# sounds
from .sounds import load_spoken_digits as load_spoken_digits  # return the free spoken digits as spectrograms: 10
from .sounds import mel_spectrogram as mel_spectrogram  # return the log energy of a sound in bands that are equally

# events
from .events import encode_delta as encode_delta  # turn stimuli that change in time into on and off events: one
from .events import load_nmnist as load_nmnist  # return the digits of N-MNIST: MNIST seen by a moving event camera
from .events import saccades as saccades  # set images (stimulus, [channel,] y, x) in motion along a triangle, as

# time series
from .time_series import load_time_series as load_time_series  # return the labelled time series of a ``.ts`` file
