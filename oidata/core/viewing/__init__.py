"""What there is to see of a dataset and a run, and what comes back from a viewer."""
