"""A page about all that is predicted, and about how far to believe it."""
