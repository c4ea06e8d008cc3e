"""SQLite as a source and as a target: its types value by value, its collations, its constraints."""
