"""Detect on photos, against a bare loop of TensorFlow's decode and TFLite's interpreter on ready-made tensors."""

import os
import subprocess
import sys
from pathlib import Path

from harness import ROOT, execute, job, options, parsed, script

SHARED = ROOT.parent / "shared"


def main() -> None:
    """Print one table. Without the larger model the sample's is taken, and drawn photos without real ones."""
    parser = options(__doc__, runs=12)
    parser.add_argument("--model", type=Path, default=SHARED / "models/ssd_mobilenetv2_oidv4_fp16.tflite")
    parser.add_argument("--directory", type=Path, default=SHARED / "openimages-mirror", help="photos, at any depth")
    parser.add_argument("--photos", type=int, default=100, help="photos to draw where there are none (%(default)s)")
    asked = parsed(parser)
    model, directory = asked.model, asked.directory
    if not model.is_file():
        model = ROOT / "oidata/sample/ssd/ssd.tflite"
    if not directory.is_dir():
        directory = execute(job("draw", "draw_photos", asked.work, asked.photos)).output
    argv = script("adapters.py", "predict_rates", directory, model, asked.work, asked.runs)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    sys.exit(subprocess.run(argv, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
