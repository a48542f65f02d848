"""The release models, one file each: states of neurons or synapses, and the share of a weight a spike brings."""
