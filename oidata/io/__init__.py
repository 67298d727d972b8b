"""Moves bytes: sources, caches, scans, downloads."""
