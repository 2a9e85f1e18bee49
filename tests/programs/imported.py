"""Imported by everything.py, while it is traced."""
