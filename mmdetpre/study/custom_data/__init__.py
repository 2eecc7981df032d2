"""A study of a user's own data: checked, split, and written with configs that fit them."""
