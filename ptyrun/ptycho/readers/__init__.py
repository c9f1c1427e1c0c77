"""Scans and reconstructions, from the files that people have."""
