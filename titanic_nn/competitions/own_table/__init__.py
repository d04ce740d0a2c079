"""Anyone's own table, from a TOML description."""
