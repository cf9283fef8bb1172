"""Builds resources/gene_features.npz from gene sets, networks and embeddings."""
