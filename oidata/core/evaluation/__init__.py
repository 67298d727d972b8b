"""Detections against ground truth: metrics, errors, causes."""
