"""From any competition's CSV files to encoded matrices: pandas and numpy, never torch."""
