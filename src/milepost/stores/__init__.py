"""Where a job is remembered: one module for each kind of store, all keeping ``milepost.jobs.store.Store``."""
