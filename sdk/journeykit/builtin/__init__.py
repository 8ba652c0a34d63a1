"""The channels that come with journeykit, through the same hooks as all others."""
