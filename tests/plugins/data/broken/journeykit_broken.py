"""A plugin whose own dependency is not installed."""

import a_dependency_that_nobody_installed  # noqa: F401
