"""What an environment is, seen from Python: the ground floor that every other package stands on."""

__version__ = "0.1.0"
