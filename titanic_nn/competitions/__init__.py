"""What differs from one competition to the next: a folder per competition."""
