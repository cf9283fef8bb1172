"""What only local_test.py imports: how good is a prediction, and would the platform take it.

In reading order: `scoring` (the three metrics), `checks` (what the platform rejects).
"""
