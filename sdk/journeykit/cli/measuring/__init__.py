"""The parts of `journeykit measure`: one module each, loaded when it is asked for."""
