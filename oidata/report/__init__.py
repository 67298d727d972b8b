"""Renders what the verbs return: tables and progress in a terminal."""
