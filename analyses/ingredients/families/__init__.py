"""The families of ingredients: each file holds a tuple INGREDIENTS."""
