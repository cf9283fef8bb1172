"""All that can be known before a push."""
