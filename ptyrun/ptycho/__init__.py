"""Pure functions of arrays: scans, groups, stitching, registration, metrics, pictures."""
