"""Reads logs and definitions: maps, figures, lift, causes, reports."""
