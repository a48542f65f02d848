"""The spike-train distances: each file is one way to tell spike trains apart."""
