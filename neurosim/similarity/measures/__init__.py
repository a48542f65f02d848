"""The measures: each file is one way to score how alike the responses of two subjects are."""
