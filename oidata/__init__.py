"""oidata: a few Open Images classes in, a detector-ready dataset out, and every failure with its cause.

The public API is `oidata.dataset.Dataset` and one function per verb, in the verb's module:
`oidata.fetch.fetch`, `oidata.strip.strip`. Importing this package loads nothing heavy.
"""

__version__ = "0.1.0"
