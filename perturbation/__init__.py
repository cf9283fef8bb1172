"""All that main.py imports, in reading order.

competition      what the organisers fixed
names            lists of gene names
matrix, dataset  the data directory, checked and read in blocks
summary          one pass: the mean profile of every knock-out, and some real cells
gene_features    what is known about genes, as kernels
predictors       centroids of knock-outs nobody measured: the part to improve; they rest on
                 gene_kernels, effects (training effects as directions) and direction_mix
mmd_kernel       the kernel of the MMD metric
cells            a hundred real cells, moved to a predicted centroid
programs         program proportions
model_file       resources/model.npz
prediction_file  prediction.h5ad and the table of proportions

errors, files, memory, ahead, progress: small helpers of these.
"""
