"""From photos to the input of a network, and from its output to detections."""
