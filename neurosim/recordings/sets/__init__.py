"""The published sets that come with neurosim, one a file: where its files are, who reads them, whom to cite."""
