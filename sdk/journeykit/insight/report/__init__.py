"""The report: all figures of a workspace in one HTML file that loads nothing."""
