"""A page about a data directory, to look at before anything is modelled."""
