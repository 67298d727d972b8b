"""What a dataset is like, and what that means: facts, rules, findings."""
