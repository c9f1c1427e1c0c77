"""What an experiment would have measured."""
