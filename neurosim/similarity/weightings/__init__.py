"""The weightings: each file is one way to make a model of component RDMs."""
