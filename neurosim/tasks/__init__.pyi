"""Tasks: what a network learns."""

# Labelled stimuli
from .classification import classification_task as classification_task  # name the category of a stimulus

from .lazy import lazy_task as lazy_task  # the same of folders and files that stay on disk until they are shown
from .views import two_views as two_views  # which two views are of one stimulus, without labels
from .rows import PictureView as PictureView  # how a picture of any size becomes an input

# Trials that are drawn anew for every batch
from .cognition import cognitive_task as cognitive_task  # a cognitive task by name
from .yang import yang_task as yang_task  # the twenty rules of Yang et al., mixed
from .neurogym import from_neurogym as from_neurogym  # an environment of NeuroGym

# How answers are read
from .cognition import psychometric as psychometric  # the share of right answers by condition
