"""Content: templates in files, and what they come to for one message."""
