"""Objects from diffraction, iteratively."""
