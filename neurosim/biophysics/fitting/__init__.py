"""From recordings to parameters: the electrode, spikes, point neurons fitted to current clamp, receptive fields."""
