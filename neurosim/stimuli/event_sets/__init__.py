"""Public sets of recordings of events, one a file."""
