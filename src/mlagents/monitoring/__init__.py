"""What a run tells the outside: statistics, where wall time goes, and how far it is.

Nothing is imported here, so that a module that only counts does not pay for TensorBoard or rich.
"""
