"""What is predicted of a knock-out nobody measured: its centroid, its cells, its proportions."""
