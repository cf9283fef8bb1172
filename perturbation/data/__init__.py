"""The competition's files: names, the matrix of cells, the data directory, one pass over it."""
