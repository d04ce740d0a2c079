"""What a run found, in sentences, tables and pictures, and as one page."""
