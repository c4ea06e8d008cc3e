"""Prove recovery on a job of the user's own: break it at every point, run it again, compare."""
