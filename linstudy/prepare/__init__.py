"""From a study file to runs that can start: which they are, what is behind them, and what they will take."""
