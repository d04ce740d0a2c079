"""How good a model is, what it has to beat, and whether one model is really better than another."""
