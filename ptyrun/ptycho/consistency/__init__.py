"""Does what was given belong together? Frames, their order, positions, probe and object."""
