"""How to open a database safely: URLs, settings, durability. Knows neither store nor rows."""
