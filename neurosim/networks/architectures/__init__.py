"""The architectures, one a file: its parameters, what it takes and learns, its paper."""
