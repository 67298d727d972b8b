"""What the files of a release say: rows, selections, manifests, defects, the hierarchy."""
