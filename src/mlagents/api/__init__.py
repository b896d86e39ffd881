"""What ``import mlagents`` offers: training as one call, and policies that play anywhere.

The names are loaded on first use, so that importing the package costs nothing.
"""
