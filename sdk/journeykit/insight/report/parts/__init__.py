"""The parts of the report: each makes a section of what was found."""
