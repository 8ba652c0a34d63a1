"""What a journey does: one pure function, `react`, and what it needs.

No clock, no randomness, no environment, no IO, and no pydantic: everything comes in as
an argument and leaves as a value. Import the submodules; this package imports none.
"""
