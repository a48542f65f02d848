"""Measured brains: published sets by name, files of responses, and a synthetic brain with known truth."""
