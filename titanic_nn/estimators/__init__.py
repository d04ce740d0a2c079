"""The nets in scikit-learn: classifiers, a transformer, cross-validation, saving, export."""
