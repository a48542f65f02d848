"""The synapse models, one file each: numbers, step, units and reference."""
