"""Where rows come from and go to: a Source and a Target for each kind of system."""
