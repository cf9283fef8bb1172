"""Made-up competitions, for tests and benchmarks: a world, its cells, its files."""
