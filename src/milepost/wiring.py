"""Which store, source and target a URL stands for; the public Job and Migration that can run."""
