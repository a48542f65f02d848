"""Biological neurons in Brian2: circuits as data, their simulation, the bridge from trained networks, the ladder."""
