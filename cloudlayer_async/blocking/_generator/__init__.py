"""The parts of generate.py: for developers, left out of the wheel."""
