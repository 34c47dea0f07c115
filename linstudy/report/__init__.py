"""Figures and claims: rows in, pictures and verdicts out."""
