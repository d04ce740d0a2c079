"""How nets are trained: each backend says what it supports."""
