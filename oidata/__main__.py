"""The way in: `python -m oidata` is `oidata`."""

from __future__ import annotations

from oidata.process import leave


def main() -> None:
    """Run the command line. To import it takes a moment, in which Ctrl-C is heard as well."""
    leave(_run)


def _run() -> None:
    from oidata.cli import app

    app()


if __name__ == "__main__":
    main()
