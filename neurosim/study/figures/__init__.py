"""Kinds of figures of a report, one a file: which there are, and how each is drawn."""
