"""Learning rules, a record a file."""
