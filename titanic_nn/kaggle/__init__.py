"""Submissions: writing, checking, scoring and sending them to Kaggle."""
