"""Kaggle: fetching tables, checking submissions, sending them and reading their scores."""
