"""The predictors: each file is one way to predict responses from responses."""
