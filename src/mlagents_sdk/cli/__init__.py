"""The command ``mlagents-envs``, and the program inside the executables that it makes."""
