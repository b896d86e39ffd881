"""Networks: what maps observations to action distributions and values."""
