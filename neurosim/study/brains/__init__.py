"""Kinds of brains of a study, one a file."""
