"""What learning rules do to a network, a file a rule."""
