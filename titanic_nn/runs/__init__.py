"""A run's folder and its submissions: written, found and read."""
