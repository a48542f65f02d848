"""The methods: each file is one way to compare two RDMs."""
