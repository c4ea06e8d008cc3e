"""SQL databases: what every one of them needs, and a folder for each."""
