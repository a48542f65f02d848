"""The mathematics of representational comparison on plain arrays; labels are handled one floor up.

A numpy array gives a numpy array, a torch tensor a tensor on the same device, where the mathematics allows it.
"""
