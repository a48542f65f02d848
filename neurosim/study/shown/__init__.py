"""Where the stimuli of a study come from, one source a file."""
