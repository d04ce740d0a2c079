"""A run's linear and relu nets as a workbook of live formulas, a file per sheet."""
