"""Several workers on one run: on this machine, or those of a Dask cluster."""
