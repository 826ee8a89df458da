"""What ``python -m sockio.generate`` is made of: reading the core, and writing facades and Python 2 from it."""
