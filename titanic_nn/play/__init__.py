"""A page to play with: a run's nets, in one file that opens in a browser and loads nothing."""
