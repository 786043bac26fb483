"""The state in one file: what is in it, how it is sealed, how it is made and how it comes back."""
