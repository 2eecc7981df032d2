"""A study of a user's own data: looked at, split, and written with configs that fit them."""
