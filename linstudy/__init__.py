"""Studies of neural networks and their linearizations."""

__version__ = "0.1.0"
