"""Statistics in closed form, in plain Python: no numpy, no scipy.

Every function names the source of its formula. What can be checked against scipy is, in
the tests.
"""
