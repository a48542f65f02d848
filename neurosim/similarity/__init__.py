"""Representational similarity: RDMs, their comparison, inference, and alignment of responses."""
