"""The environment's end of the side channels."""
