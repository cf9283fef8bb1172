"""All that main.py imports. Data flows one way: dataset -> summary -> model -> cells -> file.

competition   what the organisers fixed
data          the data directory, checked and read in blocks; one pass sums it up
model         gene features, centroids nobody measured, a hundred cells, program proportions
output        resources/model.npz, prediction.h5ad and the table of proportions

errors, files, progress: small helpers of these.
"""
