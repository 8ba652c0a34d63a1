"""A guard: no marketing to whoever has shown no sign of life for months."""
