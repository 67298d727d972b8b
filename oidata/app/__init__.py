"""FiftyOne: all that knows of it. What it is to show comes from `core.inspection` and `core.views`."""
