"""Learning algorithms: settings, losses and update of each in one file."""
