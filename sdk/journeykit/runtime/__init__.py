"""The shell around the engine: load → react → commit → relay → deliver.

It knows no database and no cloud, only the ports. The rules are the engine's; what
is decided here is when to ask, whom to ask again, and what to write down.
"""
