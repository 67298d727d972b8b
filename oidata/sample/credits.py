"""Invented authors, titles and addresses, as awkward as the real ones."""

import base64
import hashlib
from dataclasses import dataclass
from random import Random
from typing import Final

LICENCE: Final = "https://creativecommons.org/licenses/by/2.0/"
"""What Open Images lists for its photos."""

_GIVEN: Final = (
    "Ada",
    "Bruno",
    "Chiara",
    "Dmitri",
    "Esra",
    "Femke",
    "Goran",
    "Hana",
    "Imre",
    "Jun",
    "Kofi",
    "Lena",
)
_FAMILY: Final = (
    "Brook",
    "Castello",
    "Dijk",
    "Eriksen",
    "Ferreira",
    "Grau",
    "Holm",
    "Ito",
    "Juhász",
    "Kaya",
    "Löwe",
)
_AWKWARD_AUTHORS: Final = (
    'Maria "Zest" Lund',
    "O'Leary, Pat",
    "山田 花子",
    "<b>bold</b> & Söhne",
    "🍋 lemonhead 🍋",
    "Мария Сыр",
)
_PLAIN_TITLES: Final = (
    "Still life",
    "Kitchen table",
    "Lunch",
    "IMG_{number}",
    "DSC0{number}",
    "Market day",
    "Before the guests came",
    "Sunday",
    "",
)
_AWKWARD_TITLES: Final = (
    "Lemons, limes, and a ball",
    'The "best" cheese in town',
    "<script>alert(1)</script>",
    "Line one\nline two",
    "レモンとチーズ",
    "🍋🧀 #nofilter",
    'a,"b",,c',
    "جبن وليمون",
    "Käse &amp; Zitrone; 50% off",
    '=HYPERLINK("https://example.org")',
    "  spaces before and after  ",
    "'; DROP TABLE photos; --",
)
AWKWARD_EVERY: Final = 5
"""Each so manieth photo has an awkward title, each in turn; the authors follow at another pace."""


@dataclass(frozen=True)
class Credit:
    """The columns of an image table that say where a photo came from; all of it is invented."""

    url: str
    landing: str
    profile: str
    author: str
    title: str
    size: int
    md5: str
    thumbnail: str


def credit(rng: Random, identifier: str, index: int) -> Credit:
    """The invented origin of photo `index`; size and MD5 are those of an original that no one can fetch."""
    number = rng.randrange(1000, 10000)
    author = f"{rng.choice(_GIVEN)} {rng.choice(_FAMILY)}"
    title = rng.choice(_PLAIN_TITLES).format(number=number)
    if index % AWKWARD_EVERY == 3:
        title = _AWKWARD_TITLES[index // AWKWARD_EVERY % len(_AWKWARD_TITLES)]
    if index % 7 == 2:
        author = _AWKWARD_AUTHORS[index // 7 % len(_AWKWARD_AUTHORS)]
    digest = hashlib.md5(f"original of {identifier}".encode(), usedforsecurity=False).digest()
    return Credit(
        url=f"https://photos.example.org/{identifier}_o.jpg",
        landing=f"https://www.example.org/photos/{number}/{identifier}",
        profile=f"https://www.example.org/people/{number}/",
        author=author,
        title=title,
        size=rng.randrange(80_000, 9_000_000),
        md5=base64.b64encode(digest).decode(),
        thumbnail="" if rng.random() < 0.1 else f"https://photos.example.org/{identifier}_z.jpg",
    )
