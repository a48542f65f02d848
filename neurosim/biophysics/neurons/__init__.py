"""The neuron models, one file each: numbers, equations, step, threshold, reset and reference."""
