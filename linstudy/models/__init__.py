"""The networks that a study can name."""
