"""How near is a reconstruction to the truth? Registration, alignment, FRC, evaluation."""
