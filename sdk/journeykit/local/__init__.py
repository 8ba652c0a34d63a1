"""Embedded adapters: what one machine needs to run journeys, and nothing else."""
