"""Frameworks behind the predictor protocol, reached through entry points alone."""
