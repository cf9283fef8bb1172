"""Models of one's own, each under 80 lines; `python -m benchmarks.examples` scores them all."""
