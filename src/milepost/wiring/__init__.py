"""Which store, source and target a URL stands for, and how a declared job is run with them."""
