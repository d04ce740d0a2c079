"""Many nets in one tensor program: folds x repeats x trials x seeds of a net, trained at once."""
