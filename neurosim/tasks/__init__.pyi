"""Tasks: what a network learns."""

# Labelled stimuli
from .classification import classification_task as classification_task  # name the category of a stimulus

# Trials that are drawn anew for every batch
from .cognition import cognitive_task as cognitive_task  # a cognitive task by name
from .yang import yang_task as yang_task  # the twenty rules of Yang et al., mixed
from .neurogym import from_neurogym as from_neurogym  # an environment of NeuroGym

# How answers are read
from .cognition import psychometric as psychometric  # the share of right answers by condition
