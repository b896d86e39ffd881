"""Throughput of training, measured beside the peer (the original's published packages) in one run."""
