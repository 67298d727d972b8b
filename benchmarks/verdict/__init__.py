"""Does the verdict hold? What the audit says of a change, against trainings with and without it."""
