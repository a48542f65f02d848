"""Layers of spiking neurons over whole sequences: one node of the gradient graph a layer, whatever engine runs it."""
