"""How networks learn: step by step, so that any window gets further and any end loses little."""
