"""Measures made ready to be read at any instant of the log: a rule for each kind."""
