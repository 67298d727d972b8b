"""`python -m oidata` is `oidata`."""

from oidata.cli import main

main()
