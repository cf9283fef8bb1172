"""Cross-validation of a submission as a black box: train() and infer() on folds on disk."""
