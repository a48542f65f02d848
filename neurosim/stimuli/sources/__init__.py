"""The sources of stimuli, one a file: what each shows, from which files, and whom to cite."""
