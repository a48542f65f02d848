"""Tasks: what a network learns."""

# Labelled stimuli
from .classification import classification_task as classification_task  # name the category of a stimulus

from .lazy import lazy_task as lazy_task  # the same of folders and files that stay on disk until they are shown
from .views import two_views as two_views  # which two views are of one stimulus, without labels
from .rows import PictureView as PictureView  # how a picture of any size becomes an input

# Recordings of events, which stay events until they are shown
from .events import event_task as event_task  # the same of recordings of events, put into steps of time batch by batch
from .event_changes import event_drops as event_drops  # training without some of the events
from .event_changes import event_flips as event_flips  # training mirrored left to right
from .event_changes import event_jitter as event_jitter  # training with events moved in time, each by itself
from .event_changes import event_shifts as event_shifts  # training with recordings moved in space and time

# Trials that are drawn anew for every batch
from .cognition import cognitive_task as cognitive_task  # a cognitive task by name
from .yang import yang_task as yang_task  # the twenty rules of Yang et al., mixed
from .neurogym import from_neurogym as from_neurogym  # an environment of NeuroGym

# How answers are read
from .cognition import psychometric as psychometric  # the share of right answers by condition
