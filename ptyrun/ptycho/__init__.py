"""Pure functions of arrays: what is measured, where it lies, how good it is. Draws nothing."""
