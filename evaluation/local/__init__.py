"""The default run: train and infer as the platform does, then check and score."""
