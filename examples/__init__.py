"""Programs to start from; each runs against a simulated instrument."""
