"""Commands. Each module is one command; :mod:`mlagents.cli.options` holds what ``mlagents-learn`` accepts."""
