"""Which photo goes where, and how it is written: plans, balance, examples."""
