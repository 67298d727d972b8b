"""The App in a real browser: what is promised of it is seen there."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from oidata.dataset import Dataset
from tests.conftest import absent
from tests.judged import judged_run
from tests.mongo import free_port

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
# The command line; tests that run in the background inherit that Ctrl-C is ignored.
HEEDING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from oidata.__main__ import main
main()
"""
PATIENCE_MS = 120_000
LOOKERS = "[data-cy=looker] canvas"
# Colours of outcomes in the layout: a box that was missed, and a detection that is a true positive.
MISSED, FOUND = (0xE0, 0x31, 0x31), (0x22, 0xB8, 0xCF)


@pytest.fixture(scope="module")
def app(fiftyone: Any, stripped_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the App, opened on the sample with a run by the command line, which Ctrl-C ends."""
    del fiftyone
    directory = tmp_path_factory.mktemp("app") / "looked-at"
    shutil.copytree(stripped_sample, directory)
    judged_run(Dataset.open(directory))
    command = [sys.executable, "-c", HEEDING, "inspect", "-d", str(directory), "--port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = next((found[1] for line in process.stdout if (found := re.search(r"The App is at (\S+)", line))), "")
        try:
            assert url, process.stderr and process.stderr.read()
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            try:
                out, err = process.communicate(timeout=120)
            finally:
                process.kill()
    assert process.returncode == 0, err
    assert (out, err) == ("", "photos put into FiftyOne: 95\n")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, without a profile."""
    executable = shutil.which("chromium")
    if executable is None:
        absent("there is no chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(app: str, browser: Any) -> Iterator[Any]:
    """The App as it opens. Tests go on from where the one before them left it, for it takes long to load."""
    page = browser.new_page(viewport={"width": 1600, "height": 950})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(app)
    yield page
    page.close()


def see(page: Any, view: str, num_photos: int) -> Any:
    """Wait until a view shows its photos; the pixels of the screen, (height, width, 3) uint8."""
    page.get_by_text(f"{num_photos} samples", exact=True).first.wait_for()
    page.locator(LOOKERS).first.wait_for()
    page.wait_for_function("() => document.querySelectorAll('[canvas-loaded=true]').length > 3")
    page.wait_for_timeout(1_000)  # for the last of them to be drawn
    assert view in page.locator("[data-cy=saved-views-selection-container]").inner_text()
    with Image.open(BytesIO(page.locator("[data-cy=panel-content-Samples]").screenshot())) as seen:
        return np.asarray(seen.convert("RGB"))


def has_colour(pixels: Any, colour: tuple[int, int, int]) -> bool:
    """Whether many pixels have a colour, or nearly: lines are drawn half through."""
    return int((np.abs(pixels.astype(int) - colour).max(axis=-1) < 40).sum()) > 50


def test_it_opens_on_the_worst_view(page: Any) -> None:
    """Photos and boxes render: missed boxes in their colour, what was found in its own; a histogram is beside them."""
    pixels = see(page, "missed: no anchor could match", 36)
    assert page.locator(LOOKERS).count() > 10
    assert pixels.std() > 40  # photos are no plain surface
    assert has_colour(pixels, MISSED)
    assert has_colour(pixels, FOUND)
    histogram = page.locator("[data-cy=histograms-container]")
    histogram.locator("svg path.recharts-rectangle").first.wait_for()
    assert histogram.inner_text().split()[:2] == ["starved", "size_hole"]


def test_a_saved_view_opens_by_its_name(page: Any) -> None:
    """A view that is chosen from the list of saved views shows what it selects, and nothing else."""
    see(page, "missed: no anchor could match", 36)
    if (notice := page.get_by_text("Dismiss")).count():
        notice.first.click()
    page.locator("[data-cy=saved-views-selection]").click()
    page.get_by_role("option").filter(has_text="Lemon taken for Cheese").first.click()
    pixels = see(page, "Lemon taken for Cheese", 9)
    assert has_colour(pixels, MISSED)
    assert page.locator(LOOKERS).count() == 9
