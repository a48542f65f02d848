"""The metrics: each file is one way to make an RDM of responses."""
