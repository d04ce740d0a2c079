"""Hundreds of settings of a net, proposed by Optuna in batches and trained together."""
