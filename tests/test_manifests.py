"""The committed manifests give what they pin."""

from pathlib import Path

from oidata.fetch import Network, Request, fetch

PINNED = Path(__file__).parents[1] / "manifests/sample.tsv"


def test_the_pinned_sample_is_the_sample(tmp_path: Path, network: Network) -> None:
    """Its photos are all there, with the bytes that it names, and no other comes along."""
    report = fetch(tmp_path / "data", Request(("Lemon", "Cheese"), source="sample:", manifest=PINNED), network)
    assert sum(of_split["ok"] for of_split in report.photos.values()) == len(PINNED.read_text().splitlines())
    assert report.num_failed == 0
    assert (tmp_path / "data/manifest.tsv").read_text() == PINNED.read_text()
