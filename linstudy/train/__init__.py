"""Training: one loop for networks and linearizations."""
