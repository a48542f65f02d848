"""Stimuli: pictures, sentences, sounds, events, series, and their encoders."""

# From anywhere: by the name of a source, or from a file, a folder or an array
from .source import load_source as load_source  # the stimuli of a source by name, as a study shows them
from .files import load_stimuli as load_stimuli  # a folder of pictures, a file, an array or a list of pictures
from .parts import balanced as balanced  # the first stimuli of every category, as many of each

# Pictures
from .images import load_digits as load_digits  # scanned handwritten digits of scikit-learn, 8 x 8 pixels
from .mnist import load_mnist as load_mnist  # handwritten digits of MNIST, 28 x 28 pixels
from .cifar10 import load_cifar10 as load_cifar10  # photographs of CIFAR-10, 32 x 32 pixels in colour
from .images import load_image_folder as load_image_folder  # the pictures of a folder, sub-folders as categories
from .images import iterate_image_folder as iterate_image_folder  # the same in batches, resized and cropped

# Words, sounds, events, series
from .sentences import load_sentences as load_sentences  # labelled sentences: reviews, questions
from .sentences import as_words as as_words  # texts as word numbers of a vocabulary
from .sounds import load_spoken_digits as load_spoken_digits  # spoken digits as spectrograms
from .sounds import mel_spectrogram as mel_spectrogram  # the log energy of a sound in mel bands
from .events import load_nmnist as load_nmnist  # digits seen by a moving event camera
from .time_series import load_time_series as load_time_series  # labelled series of a .ts file

# Recordings of events that are kept as events
from .event_set import load_events as load_events  # of cameras and of the ear, as they were published, and one's own
from .event_set import as_events as as_events  # of arrays of times and places
from .event_set import bin_events as bin_events  # put into steps of time, all at once
from .event_set import EventSet as EventSet  # the recordings: when and where each event was
from .event_set import EventBins as EventBins  # steps of a duration, or of a number of events
from .cochlea import cochlea_spikes as cochlea_spikes  # sounds as spikes of the auditory nerve
from .cochlea import Cochlea as Cochlea  # the filters, hair cells and fibres of a simple model of the ear

# How a stimulus reaches neurons
from .encoders import encode_rate as encode_rate  # intensities as Bernoulli spike trains
from .events import encode_delta as encode_delta  # changes as on and off events
from .events import saccades as saccades  # still images set in motion
from .gabors import gabor_energy as gabor_energy  # oriented energy on a grid, as in simple models of V1
