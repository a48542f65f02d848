"""The tasks that draw their own trials, one a file: what is shown, what is asked, and the experiment it comes from."""
