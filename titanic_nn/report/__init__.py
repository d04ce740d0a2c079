"""A run's report: its numbers in words, its tables and pictures, as one page."""

from titanic_nn.report.page import write_report

__all__ = ["write_report"]
