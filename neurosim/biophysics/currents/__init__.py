"""Currents that are injected into neurons, one in a file; the registry is in ``injection.py``."""
