"""Concurrency models: what the core asks of one (`base`), and the ones there are."""
