"""Tasks: what a network learns."""

# classification
from .classification import classification_task as classification_task  # make a classification task of labelled

# cognition
from .cognition import cognitive_task as cognitive_task  # return a cognitive task by name
from .cognition import psychometric as psychometric  # return the share of trials answered rightly by condition, with

# yang
from .yang import yang_task as yang_task  # return one or several of the twenty tasks, mixed in every batch

# neurogym
from .neurogym import from_neurogym as from_neurogym  # return a NeuroGym environment as a task whose trials repeat
