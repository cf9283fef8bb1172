"""Cross-validation: hold whole knock-outs out, and say whether a difference is real."""
