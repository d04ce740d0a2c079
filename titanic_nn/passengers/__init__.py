"""From CSV files to encoded matrices: pandas and scikit-learn, never torch."""
