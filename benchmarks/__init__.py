"""Commands that print how good and how fast the template is; each its own table."""
