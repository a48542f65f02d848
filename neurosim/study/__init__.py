"""Declare a study in one file, run each step once, keep everything, report."""
