"""A source for journeykit: what happens in a Shopify shop."""
