"""Mutation testing: a list of mistakes, and a tool that makes each in a copy and sees whether the tests notice."""
