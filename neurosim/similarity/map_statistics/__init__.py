"""Statistics of maps, one a file."""
