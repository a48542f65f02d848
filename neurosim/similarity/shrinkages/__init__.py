"""The shrinkages: each file is one way to estimate the covariance of noise."""
