"""Kinds of subjects of a study, one a file: record, plan, answers, what it tells and cites."""
