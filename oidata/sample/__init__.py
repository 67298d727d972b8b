"""The embedded sample: about 120 drawn photos of lemons and cheeses, laid out as on the Open Images servers.

Nothing here was photographed, and nothing was copied from Open Images: `python -m oidata.sample.draw`
drew every file. The pictures and tables are part of this project and under its licence (Apache-2.0);
CC BY 4.0 may be chosen instead. The authors, titles, addresses and checksums in the image tables are
invented, and the licence column repeats what Open Images lists only so that readers have one to read.
The small SSD was trained on other photos of the same generator: benchmarks/ssd says how.
"""

from pathlib import Path
from typing import Final

NAME: Final = "sample:"
"""What stands for the sample on the command line: as a source, as a model, as a config."""

ROOT: Final = Path(__file__).parent / "openimages"
"""The root of the sample: a mirror with the official paths below it, usable wherever a mirror is."""

MODEL: Final = Path(__file__).parent / "ssd" / "ssd.tflite"
"""A small SSD MobileNet V2 that finds Lemon and Cheese, as TFLite with raw outputs; its label map lies beside it."""

CONFIG: Final = MODEL.parent / "pipeline.config"
"""The pipeline config that it was trained with."""
