"""Thousands of spoilt files of every kind, each of which must end in words: `make fuzz`."""
