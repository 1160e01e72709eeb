"""How well scores know the fit, and what kind of error costs how much."""
