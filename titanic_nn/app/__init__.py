"""A run's model in a browser, and as a folder for Hugging Face Spaces."""
