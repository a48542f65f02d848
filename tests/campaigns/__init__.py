"""Long campaigns of damage, run by hand; small versions of them are tests. Their results are kept beside them."""
