"""A page of pictures about a cross-validation."""
