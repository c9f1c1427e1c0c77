"""The nouns of one run: its inputs, group tables, objects, gates, outputs and content."""
