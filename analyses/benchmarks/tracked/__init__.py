"""What is timed over commits, in the form of asv."""
