"""Checkpointed jobs: the core. It knows no rows, no vendor and no screen."""
