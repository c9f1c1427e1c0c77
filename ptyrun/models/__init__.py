"""What a model is: its file, its card, its programs, and how it is asked for patches.

No module here imports a framework; `ptyrun.predictors` is what plug-ins build on.
"""
