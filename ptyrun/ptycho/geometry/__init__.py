"""Where patches lie: groups, normalisation, placement, stitching, coverage."""
