"""Write a dataset's photos into shards, against a bare loop of TensorFlow's writer and a script in TFOD's manner."""

from harness import execute, job, measure, options, parsed, table


def main() -> None:
    """Print one table: all commands read the same photos and count their bytes; imports and processes' start count."""
    parser = options(__doc__, runs=5)
    parser.add_argument("--photos", type=int, default=2_000)
    asked = parsed(parser)
    drawn = execute(job("draw", "draw_photos", asked.work, asked.photos)).output
    dataset = execute(job("dataset", "photos_as_dataset", drawn)).output
    commands = [
        job("TensorFlow's writer, bare loop", "tensorflow_records", dataset, asked.work),
        job("script in TFOD's manner", "tensorflow_script", dataset, asked.work),
        job("oidata, 1 process", "oidata_shard", dataset, asked.work, 1),
        job("oidata, 2 processes", "oidata_shard", dataset, asked.work, 2),
        job("copy into one file", "copied_photos", dataset, asked.work),
    ]
    print(table(f"{asked.photos:,} photos into shards", measure(commands, asked.runs)), flush=True)


if __name__ == "__main__":
    main()
