"""Kinds of analyses of a study, one a file: table, plan, run, what it tells and cites."""
