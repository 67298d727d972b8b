"""Download photos of 300 KB from a server with 50 ms latency, against a bare obstore loop."""

from harness import Command, Quantity, background, measure, options, script, table

RATE = Quantity("photos/s", lambda run: float(run.output), ".0f")


def main() -> None:
    """Print one table for each number of connections."""
    parser = options(__doc__, runs=5)
    parser.add_argument("--photos", type=int, default=3_000)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 128])
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    with background(script("photo_server.py")) as url:
        for connections in asked.connections:
            arguments = (url, asked.photos, connections, asked.work)
            commands = [
                Command("bare obstore", script("adapters.py", "obstore_photos", *arguments)),
                Command("oidata", script("adapters.py", "oidata_photos", *arguments)),
            ]
            measured = measure(commands, asked.runs)
            print(
                table(f"{asked.photos:,} photos, {connections} connections", measured, RATE, result=None),
                flush=True,
            )


if __name__ == "__main__":
    main()
