"""Moving rows, object by object: read, restructure, load; the commit of a batch is its checkpoint. Knows no vendor."""
