"""What is written: the model that infer() needs, and the two files of a prediction."""
