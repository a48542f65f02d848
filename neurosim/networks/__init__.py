"""Trained networks: architectures, training, recording of activity, and exchange as NIR graphs."""
