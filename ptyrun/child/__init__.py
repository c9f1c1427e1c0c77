"""The process that a predictor lives in: foreign code that can do nothing but compute."""
