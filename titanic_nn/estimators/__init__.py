"""The nets at home in scikit-learn: classifiers, a transformer of passengers, all folds at once."""
