"""The kinds of model RDMs: each file is one way to make distances of labels."""
