"""The peer's side of the race: its own virtual environment, and its trainer on our environment."""
