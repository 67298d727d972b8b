"""Laws of the verdict's benchmark: no row is lost, mixed or made twice, and nothing agrees that was not shown."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.config.pipeline import differences
from oidata.core.config.schedule import schedule
from oidata.report.shard_report import ShardReport
from verdict.agreement import Agreement, Direction, Range, agreement, predicted
from verdict.rows import Row, RowsError, Setting, Statement, append_row, missing, of_setting, read_rows
from verdict.statements import statements
from verdict.table import table
from verdict.variants import ANCHORS, BASE, GROUPS, RATE, TABLES, UNBOXED, VARIANTS, Variant, base_config

REAL, TOY = Setting(5000, 1000, "c"), Setting(200, 4, "c")
CONFIG = base_config()
NAMES = (*GROUPS, *ANCHORS, *RATE, *UNBOXED)
PATCH = "anchor_generator { ssd_anchor_generator { num_layers: 6 min_scale: 0.1 max_scale: 0.7 aspect_ratios: 1.0 } }"


def row(variant: str = "base", seed: int = 1, ap50: float = 0.4, **said: tuple[str | None, float | None]) -> Row:
    return Row(
        variant=variant,
        seed=seed,
        setting=REAL,
        truth="t",
        checkpoint="w",
        num_photos=2800,
        num_boxes=8000,
        ap50={"Lemon": ap50 + 0.1, "Cheese": ap50 - 0.1},
        ap50_mean=ap50,
        ap50_boxed=ap50,
        lost={"data": 0.1},
        statements=tuple(Statement(name, *said.get(name, (None, None))) for name in NAMES),
        train_s=400.0,
    )


def line_of(variant: Variant, rows: list[Row]) -> str:
    return next(line for line in table(rows, REAL).splitlines() if line.startswith(f"| {variant.change} |"))


def test_rows_are_read_as_they_were_appended(tmp_path: Path) -> None:
    """One by one, of any setting, in their order; none where there is no file."""
    path = tmp_path / "rows.jsonl"
    assert read_rows(path) == ()
    rows = (row(collateral=("error", 0.2)), row(seed=2), replace(row(), setting=TOY))
    for each in rows:
        append_row(path, each)
    assert read_rows(path) == rows


def test_no_training_has_two_rows(tmp_path: Path) -> None:
    """Neither appended nor, put together by hand, read."""
    path = tmp_path / "rows.jsonl"
    append_row(path, row())
    with pytest.raises(RowsError, match="already"):
        append_row(path, row(ap50=0.5))
    path.write_text(row().to_json() + row(ap50=0.5).to_json())
    with pytest.raises(RowsError, match="2 rows of base"):
        read_rows(path)


@pytest.mark.parametrize("broken", ["", "{}", "7", row().to_json()[:80], row().to_json().replace('"seed"', '"sed"')])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, broken: str) -> None:
    """By its number, also where the appending was cut short."""
    path = tmp_path / "rows.jsonl"
    path.write_text(row().to_json() + broken + "\n")
    with pytest.raises(RowsError, match="line 2"):
        read_rows(path)


def test_the_first_seed_of_all_is_trained_first() -> None:
    """And what has a row is passed over."""
    assert missing([row("base"), row("b", seed=2)], ["base", "b"]) == [("b", 1), ("base", 2)]


def test_rows_of_other_ground_truth_or_beginning_are_not_compared() -> None:
    """Within a setting; another setting may have another."""
    other = replace(row("min-scale"), truth="other")
    assert of_setting([row(), replace(other, setting=TOY)], REAL) == (row(),)
    with pytest.raises(RowsError, match="different ground truth"):
        of_setting([row(), other], REAL)
    with pytest.raises(RowsError, match="different checkpoints"):
        of_setting([row(), replace(row("min-scale"), checkpoint="other")], REAL)


def test_a_toy_stands_in_no_real_table() -> None:
    """Fewer photos, fewer steps or another config: such rows are counted, and nothing else."""
    toys = [
        replace(row(), setting=replace(REAL, **change)) for change in ({"photos": 9}, {"steps": 4}, {"config": "d"})
    ]
    text = table(toys, REAL)
    assert "0.4" not in text
    assert "base (seed 1)" in text
    assert "left out: 3" in text


said = st.lists(
    st.tuples(st.sampled_from([None, "info", "warning", "error"]), st.none() | st.floats(0, 1)), min_size=2, max_size=2
).map(lambda found: [Statement(name, *each) for name, each in zip("ab", found, strict=True)])


@given(said, said)
def test_what_is_said_of_two_is_the_contrary_of_the_reverse(one: list[Statement], other: list[Statement]) -> None:
    """Whichever is called the base; of the same nothing is said."""
    contrary = {Direction.BETTER: Direction.WORSE, Direction.WORSE: Direction.BETTER, Direction.SAME: Direction.SAME}
    assert predicted(one, other) == contrary[predicted(other, one)]
    assert predicted(one, one) == Direction.SAME


@pytest.mark.parametrize(
    "base,variant,expected",
    [
        ([("error", 0.2)], [("warning", 0.9)], Direction.BETTER),
        ([("warning", 0.2)], [("warning", 0.3)], Direction.WORSE),
        ([("warning", 0.2)], [("warning", 0.205)], Direction.SAME),
        ([(None, 0.0)], [("info", 1.0)], Direction.WORSE),
        ([("error", 0.3), (None, 0.0)], [("error", 0.1), ("warning", 0.04)], Direction.WORSE),
        ([("warning", None)], [(None, None)], Direction.BETTER),
    ],
)
def test_severities_speak_before_shares(base: list[Any], variant: list[Any], expected: Direction) -> None:
    """More errors are worse, then more warnings, then the larger share."""
    one, other = ([Statement(str(at), *each) for at, each in enumerate(side)] for side in (base, variant))
    assert predicted(one, other) == expected


@pytest.mark.parametrize(
    "base,variant,expected",
    [
        ([0.40, 0.42], [0.43, 0.45], Agreement.AGREES),
        ([0.40, 0.42], [0.37, 0.39], Agreement.DISAGREES),
        ([0.40, 0.42], [0.42, 0.45], Agreement.NOT_TOLD_APART),
        ([0.40, 0.42], [0.60], Agreement.NOT_TOLD_APART),
        ([0.40], [0.60, 0.61], Agreement.NOT_TOLD_APART),
        ([0.40], [], Agreement.NOT_RUN),
        ([], [0.40], Agreement.NOT_RUN),
    ],
)
def test_only_ranges_apart_agree_or_disagree(base: list[float], variant: list[float], expected: Agreement) -> None:
    """With two seeds at least on either side; here it was to be better."""
    assert agreement(Direction.BETTER, Range.of(base), Range.of(variant)) == expected


def test_a_difference_that_nobody_foretold_is_a_disagreement() -> None:
    """The audit should have said so."""
    assert agreement(Direction.SAME, Range(0.4, 0.4, 0.4, 2), Range(0.5, 0.5, 0.5, 2)) == Agreement.DISAGREES


def test_the_table_names_what_is_not_run() -> None:
    """Each training by name and seed, and its line says so; half a comparison tells nothing."""
    rows = [row("base"), row("base", 2), row("min-scale", 1, 0.3)]
    text = table(rows, REAL)
    absent = text[text.index("Not run:") :]
    assert "min-scale (seed 2)" in absent
    assert "min-scale (seed 1)" not in absent
    assert "base" not in absent
    assert line_of(VARIANTS["groups-kept"], rows).endswith("| not run |")
    assert "one seed" in line_of(VARIANTS["min-scale"], rows)
    assert line_of(VARIANTS["min-scale"], rows).endswith("| not told apart |")


@pytest.mark.parametrize("ap50,expected", [(0.3, "agrees"), (0.6, "disagrees")])
def test_the_table_says_what_was_said_and_shown(ap50: float, expected: str) -> None:
    """With shares and severities of both sides, whichever way it came out."""
    rows = [row(seed=1, unmatched_boxes=("warning", 0.3)), row(seed=2, ap50=0.41, unmatched_boxes=("warning", 0.3))]
    rows += [row("min-scale", seed, ap50, unmatched_boxes=("error", 0.5)) for seed in (1, 2)]
    line = line_of(VARIANTS["min-scale"], rows)
    assert "boxes without an anchor 30.0% (warning) → 50.0% (error) | worse |" in line
    assert line.endswith(f"| {expected} |")


def test_every_variant_is_one_change_of_the_base() -> None:
    """Of the config's fields, the dataset or the shards; and no two are the same training."""
    base = BASE.config(CONFIG, 1000)
    changes = []
    for variant in VARIANTS.values():
        if variant is BASE:
            continue
        fields = {each.path.rpartition(".")[0] for each in differences(variant.config(CONFIG, 1000, PATCH), base)}
        changes.append((frozenset(fields), variant.shards_name))
        assert bool(fields) != (variant.shards_name != BASE.shards_name)
        assert len(fields) <= 1
    data = [shards for fields, shards in changes if not fields]
    assert len(data) == len(set(data))
    for variants in TABLES.values():
        assert len({variant.name for variant in variants}) == len(variants)
        assert all(VARIANTS[variant.name] is variant for variant in variants)


def test_the_rate_decays_to_the_end_or_never() -> None:
    """With the same peak, after the same warm-up."""
    base, constant = (
        schedule(each.config(CONFIG, 800).message.train_config) for each in (BASE, VARIANTS["constant-rate"])
    )
    assert base is not None
    assert constant is not None
    assert constant.final == constant.peak == base.peak
    assert base.final < base.peak / 1000


def test_scales_that_are_listed_take_the_place_of_those_that_are_spread() -> None:
    """A config with both would be ambiguous to read."""
    found = VARIANTS["suggested-anchors"].config(CONFIG, 1000).message.model.ssd.anchor_generator.ssd_anchor_generator
    assert len(found.scales) == found.num_layers
    assert not found.HasField("min_scale")
    assert not found.HasField("max_scale")


def test_what_an_audit_did_not_know_yet_it_did_not_find() -> None:
    """A row of before a finding came in stands beside others without one."""
    old = [replace(row(seed=seed), statements=row().statements[:2]) for seed in (1, 2)]
    new = [row("ratios", seed, ambiguous_layers=("warning", 0.2)) for seed in (1, 2)]
    lines = table([*old, *new], REAL, "anchors").splitlines()
    assert any("places where another layer is nearer (no finding) → 20.0% (warning) | worse" in line for line in lines)


def test_suggested_anchors_take_the_place_of_all() -> None:
    """No aspect ratio of the base stays behind."""
    found = VARIANTS["mended-min-scale"].config(CONFIG, 1000, PATCH).message.model.ssd.anchor_generator
    assert list(found.ssd_anchor_generator.aspect_ratios) == [1.0]
    assert found.ssd_anchor_generator.min_scale == pytest.approx(0.1)


def test_shards_that_leave_no_object_behind_have_no_collateral() -> None:
    """Whatever the audit says of the dataset: it does not know what the shards leave out."""
    photos = [
        {"split": "train", "num_leftover": 3, "num_with_truth": 10},
        {"split": "test", "num_leftover": 9, "num_with_truth": 9},
    ]
    report = {
        "findings": [{"name": "collateral", "severity": "error"}],
        "data": {"classes": [], "photos": photos, "pairs": []},
        "anchors": {"boxes": [], "holes": [], "layer_ambiguity": None},
    }
    shards = ShardReport({}, {}, {}, (), {}, num_leftover=2, num_moved=0)
    found = [statements(["collateral"], report, each, CONFIG)[0] for each in (shards, replace(shards, num_leftover=0))]
    assert found == [Statement("collateral", "error", 0.3), Statement("collateral", None, 0.0)]


def test_what_has_a_row_is_not_run_again(tmp_path: Path) -> None:
    """Nor what the audit suggests nothing for; a limit counts what is run."""
    from verdict.datasets import Datasets, NoSuggestionError
    from verdict.run import Bench, run_missing

    @dataclass(frozen=True)
    class Quick(Bench):
        def run(self, variant: Variant, seed: int) -> Row:
            if variant.takes_suggestion:
                raise NoSuggestionError
            return row(variant.name, seed)

    bench, path = Quick(Datasets(tmp_path, 5000, 1000), REAL, tmp_path), tmp_path / "rows.jsonl"
    chosen = [BASE, VARIANTS["mended-min-scale"], VARIANTS["min-scale"]]
    assert run_missing(bench, path, chosen, (1, 2), 3) == 3
    assert [(each.variant, each.seed) for each in read_rows(path)] == [("base", 1), ("min-scale", 1), ("base", 2)]
    assert run_missing(bench, path, chosen, (1, 2), None) == 1
    assert run_missing(bench, path, chosen, (1, 2), None) == 0
