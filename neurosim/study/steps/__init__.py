"""The steps that every study has, whatever its kinds: stimuli, RDMs, responses, brains, figures."""
