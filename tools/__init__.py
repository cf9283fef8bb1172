"""Commands beside the submission: demo data, gene features, an explanation of a prediction."""
