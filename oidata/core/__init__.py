"""Pure computation: no files, no clock, no environment, no global random state."""
