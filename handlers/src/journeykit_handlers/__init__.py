"""The Lambda functions of journeykit: thin, and all alike."""
