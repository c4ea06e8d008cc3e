"""Jobs that must survive: data migrations above all, and any other long-running program."""
