"""Take the pictures of README anew: the audit's page and the App, both of the sample.

    python docs/screenshots.py

Needs chromium, and FiftyOne's database. Both are of the demo's dataset, which is made in a temporary directory.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
OIDATA = (sys.executable, "-m", "oidata")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
WIDE, HIGH = 1440, 900
AUDIT = ("header", ".verdict", "#section-1 .figures >> nth=0")
"""Title, verdict and the first plots of the audit's page; the findings between them are long."""
GROUND = "#f5f6f8"
MARGIN_PX = 20
COLOURS = 256
"""Enough for what is drawn; photos lose a little, and the files a lot."""
PATIENCE_MS = 120_000


def main() -> None:
    """Write audit.png and app.png beside this file."""
    with TemporaryDirectory() as place, sync_playwright() as playwright:
        subprocess.run([*OIDATA, "demo"], check=True, cwd=place)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        page = browser.new_page(viewport={"width": WIDE, "height": HIGH})
        page.goto((Path(place) / "oidata-demo/audit/report.html").as_uri())
        save("audit.png", *(page.locator(part).screenshot() for part in AUDIT))
        with app(place) as url:
            page.goto(url)
            page.locator("[data-cy=looker] canvas").first.wait_for(timeout=PATIENCE_MS)
            page.get_by_text("Dismiss").click()
            page.wait_for_timeout(8_000)  # photos and the histogram come one after the other
            save("app.png", page.screenshot())
        browser.close()


@contextmanager
def app(place: str) -> Iterator[str]:
    """Where the App is, while it is open."""
    command = [*OIDATA, "inspect", "-d", "oidata-demo"]
    with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = process.stdout or ()
            yield next(found[1] for line in lines if (found := re.search(r"The App is at (\S+)", line)))
        finally:
            process.kill()


def save(name: str, *shots: bytes) -> None:
    """Keep what was seen, one below the other, in few colours."""
    pictures = [Image.open(BytesIO(shot)).convert("RGB") for shot in shots]
    margin = MARGIN_PX if len(pictures) > 1 else 0
    height = sum(each.height + margin for each in pictures) + margin
    whole = Image.new("RGB", (max(each.width for each in pictures) + 2 * margin, height), GROUND)
    top = margin
    for each in pictures:
        whole.paste(each, (margin, top))
        top += each.height + margin
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / name, optimize=True)


if __name__ == "__main__":
    main()
