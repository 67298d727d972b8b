"""Download photos of 300 KB from a server with 50 ms latency, against a bare obstore loop."""

from harness import Quantity, background, job, measure, options, parsed, script, table

RATE = Quantity("photos/s", lambda run: float(run.output), ".0f")


def main() -> None:
    """Print one table for each number of connections."""
    parser = options(__doc__, runs=5)
    parser.add_argument("--photos", type=int, default=3_000)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 128])
    asked = parsed(parser)
    with background(script("photo_server.py")) as url:
        for connections in asked.connections:
            arguments = (url, asked.photos, connections, asked.work)
            commands = [
                job("bare obstore", "obstore_photos", *arguments),
                job("oidata", "oidata_photos", *arguments),
            ]
            measured = measure(commands, asked.runs)
            print(
                table(f"{asked.photos:,} photos, {connections} connections", measured, RATE, result=None),
                flush=True,
            )


if __name__ == "__main__":
    main()
