"""The three metrics, the genes they are taken on, and what the platform rejects."""
