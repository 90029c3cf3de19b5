"""Rows of our own making, against the shortcuts that data sets teach: `templates:FAMILY[:PART]`."""
