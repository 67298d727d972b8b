"""The command line: parses, calls one verb, renders its report. It and `process` alone print or exit."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from oidata import __version__
from oidata.errors import OidataError, UsageError
from oidata.process import EXIT_ERROR, EXIT_GATE, EXIT_USAGE, complain, interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console

    from oidata.report.inspect_report import PullReport
    from oidata.report.progress import Progress
    from oidata.report.summary import Summary

_PIPE_WIDTH = 200


class _Commands(TyperGroup):
    """The commands; every error that is ours becomes a message, a hint and an exit code, here and only here."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(interrupted()) from None
        except OidataError as error:
            complain(f"Error: {error.message}", error.hint)
            raise typer.Exit(EXIT_USAGE if isinstance(error, UsageError) else EXIT_ERROR) from error


app = typer.Typer(
    name="oidata",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="A few Open Images classes in, a detector-ready dataset out, and every failure with its cause.",
)


class ReleaseName(StrEnum):
    """The releases, as typed."""

    v4 = "v4"
    v5 = "v5"
    v6 = "v6"
    v7 = "v7"


class SplitName(StrEnum):
    """The splits, as typed."""

    train = "train"
    validation = "validation"
    val = "val"
    test = "test"


class SplitOrAll(StrEnum):
    """The splits, or all of them, as typed."""

    train = "train"
    validation = "validation"
    val = "val"
    test = "test"
    all = "all"


class FailOn(StrEnum):
    """What a gate lets through, as typed."""

    error = "error"
    warning = "warning"
    never = "never"


class Stripped(StrEnum):
    """What becomes of stripped boxes, as typed."""

    drop = "drop"
    ignore = "ignore"
    keep = "keep"


class StrippedTruth(StrEnum):
    """What stripped boxes are in an evaluation, as typed."""

    ignore = "ignore"
    counted = "count"


class Leftover(StrEnum):
    """What becomes of photos on which a stripped object stays visible, as typed."""

    keep = "keep"
    drop_image = "drop-image"


class Verifier(StrEnum):
    """What reads the shards, besides oidata, as typed."""

    tensorflow = "tensorflow"


# readable=False: what cannot be read is an error of ours (exit code 1), not one of usage.
DirectoryOption = Annotated[
    Path, typer.Option("-d", "--dataset", metavar="DIR", readable=False, help="The dataset directory.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the report as JSON on stdout.")]


def _version(value: bool) -> None:
    if value:
        typer.echo(f"oidata {__version__}")
        raise typer.Exit


@app.callback()
def _oidata(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """See the app's help."""


@app.command("fetch")
def fetch_command(
    classes: Annotated[
        list[str],
        typer.Argument(metavar="CLASS…", help="Class names in any case, or MIDs: Lemon 'French fries' /m/01nkt"),
    ],
    dataset: DirectoryOption = Path("data"),
    release: Annotated[ReleaseName, typer.Option(help="The Open Images release.")] = ReleaseName.v5,
    split: Annotated[
        list[SplitName] | None,
        typer.Option(metavar="SPLIT", help="train, validation (or val), test; repeatable.  [default: all three]"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A mirror with the official paths below it: http(s)://, s3://, gs://, file://, a directory, or "
            "sample: for the embedded sample.  [default: the official servers]",
        ),
    ] = None,
    include_subclasses: Annotated[
        bool, typer.Option("--include-subclasses", help="Fold the classes below a named one into it.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most N photos per split.")] = None,
    limit_per_class: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Photos per split until each class has N, or all there are."),
    ] = None,
    negatives: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="N photos per split that are verified to lack a class and show none."),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Decides which photos a limit takes.")] = 0,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", readable=False, help="Exactly the photos of this manifest.tsv; other bytes are an error."
        ),
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=1024, help="Photos to download at once.")] = 32,
    offline: Annotated[bool, typer.Option("--offline", help="Use the metadata cache only, and ask no server.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Download classes of Open Images: photos, boxes, verified labels, attribution. Run it again to complete it."""
    from oidata.core.release.selection import Quota
    from oidata.core.tables import SPLITS
    from oidata.fetch import Network, Request, fetch
    from oidata.io.metadata import OFFICIAL
    from oidata.io.releases import Release

    if manifest and (split or limit or limit_per_class or negatives):
        raise UsageError(
            "--manifest names exactly the photos to fetch.", "Leave out --split, --limit… and --negatives."
        )
    if limit and limit_per_class:
        raise UsageError("--limit and --limit-per-class ask for two different selections.", "Give one of them.")
    request = Request(
        classes=tuple(classes),
        release=Release(release),
        splits=tuple(split or SPLITS),
        source=OFFICIAL if source is None else source,
        include_subclasses=include_subclasses,
        quota=Quota(limit, limit_per_class, negatives, seed),
        manifest=manifest,
    )
    report = fetch(dataset, request, Network(connections, offline), _progress(quiet=as_json))
    _print(report, report.summary, as_json=as_json)
    if report.num_failed:
        raise typer.Exit(EXIT_ERROR)


@app.command("strip")
def strip_command(
    context: typer.Context,
    dataset: DirectoryOption = Path("data"),
    group: Annotated[bool, typer.Option(help="More than five instances in one box.")] = True,
    depiction: Annotated[bool, typer.Option(help="A drawing or picture of the object.")] = True,
    truncated: Annotated[bool, typer.Option(help="The object extends beyond the photo.")] = True,
    occluded: Annotated[bool, typer.Option(help="Another object hides part of it.")] = False,
    inside: Annotated[bool, typer.Option(help="The photo was taken from inside the object.")] = False,
    unknown: Annotated[bool, typer.Option("--unknown", help="Strip also where such a flag is unknown (-1).")] = False,
    none: Annotated[bool, typer.Option("--none", help="Take all marks back (those set in the App stay).")] = False,
    as_json: JsonOption = False,
) -> None:
    """Mark the boxes that should not train a detector, and say what that leaves behind. Nothing is deleted.

    Boxes that are none (no area, inverted, outside the photo, NaN) and exact duplicates are always marked.
    """
    from oidata.dataset import Dataset
    from oidata.strip import strip, unstrip

    chosen = {
        "group": group,
        "depiction": depiction,
        "truncated": truncated,
        "occluded": occluded,
        "inside": inside,
    }
    if none and (given := _given(context, (*chosen, "unknown"))):
        raise UsageError(f"--none takes all marks back: it does not go with {', '.join(given)}.", "Give one of them.")
    flags = [name for name, is_on in chosen.items() if is_on]
    opened = Dataset.open(dataset)
    report = unstrip(opened) if none else strip(opened, flags, with_unknown=unknown)
    _print(report, report.summary, as_json=as_json)


@app.command("audit", short_help="Say what this dataset, these anchors and this config can and cannot learn.")
def audit_command(
    dataset: DirectoryOption = Path("data"),
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="A pipeline.config; or a reference without its ssd_mobilenet_v2_: coco, coco_2018, oid_v4, "
            "quantized_300x300_coco, 320x320, fpnlite_320x320; or sample:, that of the sample's SSD.  [default: the "
            "one given last, else coco]",
        ),
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="FILE|NAME", help="Another config, to compare its anchors with.")
    ] = None,
    split: Annotated[
        list[SplitName] | None,
        typer.Option(metavar="SPLIT", help="train, validation (or val), test; repeatable.  [default: all there are]"),
    ] = None,
    feature_maps: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,…",
            help="Cells of each feature map, where the extractor of either config is unknown: 19,10,5,3,2,1",
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, metavar="N", help="How many replicas train at once.")] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 3 if there is a finding as severe as this, or worse.")
    ] = FailOn.never,
    as_json: JsonOption = False,
) -> None:
    """Say what this dataset, these anchors and this config can and cannot learn, with the evidence.

    Needs no training. Writes audit/report.html, with plots and pictures, into the dataset.
    """
    from oidata.audit import Request, audit
    from oidata.core.auditing.findings import Severity, reaches
    from oidata.dataset import Dataset

    request = Request(config, against, tuple(split or ()), _feature_maps(feature_maps), workers)
    report = audit(Dataset.open(dataset), request, _progress(quiet=as_json))
    _print(report, report.summary, as_json=as_json)
    if fail_on != FailOn.never and reaches(report.findings, Severity(fail_on)):
        complain(f"There is a finding as severe as --fail-on {fail_on.value}, or worse: exit code {EXIT_GATE}.")
        raise typer.Exit(EXIT_GATE)


@app.command("shard")
def shard_command(
    dataset: DirectoryOption = Path("data"),
    splits: Annotated[
        str,
        typer.Option(
            metavar="N|SPLIT=N,…",
            help="How many shards: of every split, or of those that are named, as train=10,val=2.",
        ),
    ] = "10",
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR|URL", help="Where they go, s3:// and gs:// too.  [default: shards/ in the dataset]"),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Decides the order in a shard, and between divisions that are equally even.")
    ] = 0,
    stripped: Annotated[
        Stripped,
        typer.Option(
            help="What becomes of stripped boxes. ignore: they stay, with image/object/weight 0, is_crowd 1 and "
            "difficult 1. TFOD then matches anchors to them, with no loss from those; official.vision leaves crowds "
            "out of RetinaNet's training, so that they are background. keep: they train as any other box."
        ),
    ] = Stripped.drop,
    leftover: Annotated[
        Leftover,
        typer.Option(help="drop-image: leave out photos that show an object without its box, beside other boxes."),
    ] = Leftover.keep,
    negatives: Annotated[
        bool, typer.Option(help="Photos that are verified to lack a class, as examples without boxes.")
    ] = True,
    val_fraction: Annotated[
        float | None,
        typer.Option(
            metavar="F",
            help="Of the classes that no validation photo shows, take this share of the train photos for validation, "
            "as 0.1: the same of every class, near duplicates together.",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A pipeline.config to copy beside the shards, its input paths, label map and num_classes filled in.  "
            "[default: the one given last]",
        ),
    ] = None,
    verify: Annotated[
        Verifier | None,
        typer.Option(metavar="tensorflow", help="Have TensorFlow parse every example and decode its photo, too."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace shards, label map and config that are there; other files stay.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes on this machine.  [default: one per core]")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="tcp://HOST:8786", help="Work on a Dask cluster, whose workers have oidata and see the same files."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write balanced TFRecord shards, with label map. Run it again to complete them: those that are there stay.

    Shards of a split differ by one photo at most, and by as few boxes of each class, then bytes, as can be. The same
    dataset and seed give the same bytes. Each shard is read back before it gets its name.
    """
    from oidata.dataset import Dataset
    from oidata.shard import Delivery, Request, shard

    request = Request(
        num_shards=_num_shards(splits),
        seed=seed,
        stripped=stripped.value,
        drop_leftover=leftover == Leftover.drop_image,
        with_negatives=negatives,
        val_fraction=val_fraction,
        config=config,
    )
    delivery = Delivery(out, overwrite, scheduler, workers, with_tensorflow=verify == Verifier.tensorflow)
    report = shard(Dataset.open(dataset), request, delivery, _progress(quiet=as_json))
    _print(report, report.summary, as_json=as_json)


@app.command("predict")
def predict_command(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            readable=False,
            help="The trained detector: the directory that TFOD exported to or its saved_model, "
            "frozen_inference_graph.pb, a .tflite with its post-processing inside or with raw outputs, or sample: for "
            "the sample's SSD.",
        ),
    ],
    dataset: DirectoryOption = Path("data"),
    run: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to keep it by, in runs/NAME.  [default: the model's name]")
    ] = None,
    split: Annotated[
        list[SplitOrAll] | None,
        typer.Option(
            metavar="SPLIT",
            help="train, validation (or val), test, or all; repeatable.  [default: validation and test, on which a "
            "model was not trained; where there is neither, all]",
        ),
    ] = None,
    label_map: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            readable=False,
            help="The model's label map: .pbtxt, or a .txt whose line number is the id.  [default: the "
            "label_map.pbtxt in, beside or above the model, else that of the dataset's shards]",
        ),
    ] = None,
    batch: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Put results by after every N photos: a run that is stopped goes on from there."
        ),
    ] = 32,
    score_threshold: Annotated[
        float,
        typer.Option(
            metavar="S", help="Keep detections that score above S, 0 to 1. The default is that of the SSD paper."
        ),
    ] = 0.01,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="The pipeline.config that the model was trained with. It is kept with the run, and a .tflite with raw "
            "outputs is read by it.  [default: the pipeline.config in, beside or above the model; for such a one, else "
            "that of the dataset]",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a trained detector on the photos, and keep what it finds in runs/NAME. Run it again to complete it.

    Photos that the run has are not looked at again, as long as model, config, label map and threshold are the same;
    else the run is made anew.
    """
    from oidata import sample
    from oidata.dataset import Dataset
    from oidata.predict import Request, predict

    opened = Dataset.open(dataset)
    request = Request(
        model=sample.MODEL if str(model) == sample.NAME else model,
        run=run,
        splits=opened.info.splits if SplitOrAll.all in (split or ()) else tuple(split or ()),
        label_map=label_map,
        config=config,
        score_threshold=score_threshold,
        batch=batch,
    )
    report = predict(opened, request, _progress(quiet=as_json))
    _print(report, report.summary, as_json=as_json)


@app.command("evaluate", short_help="Score a trained model by each metric, and say why it fails where it fails.")
def evaluate_command(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            readable=False,
            help="Detections of other origin: COCO results (.json), Open Images predictions (.csv), TFOD's detection "
            "records, or a detections.parquet. Ids are those of the label map that oidata shard writes.",
        ),
    ] = None,
    dataset: DirectoryOption = Path("data"),
    run: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The run to evaluate.  [default: the newest; of a FILE, its name]"),
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another run: say what is better than there, and what worse.")
    ] = None,
    split: Annotated[
        list[SplitName] | None,
        typer.Option(
            metavar="SPLIT", help="train, validation (or val), test; repeatable.  [default: those of the run]"
        ),
    ] = None,
    score_threshold: Annotated[
        float | None,
        typer.Option(metavar="S", help="Count failures from this score on.  [default: the best F1 of each class]"),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="The pipeline.config that the model was trained with, for its anchors.  [default: that of the run, "
            "else of the dataset]",
        ),
    ] = None,
    stripped: Annotated[
        StrippedTruth,
        typer.Option(
            help="ignore: missing a stripped box is no miss, finding it no false positive. count: it is ground truth."
        ),
    ] = StrippedTruth.ignore,
    as_json: JsonOption = False,
) -> None:
    """Say how a trained model fares by each metric, and why it fails where it fails: a cause for every failure.

    Writes evaluation.json, failures.parquet and report.html, with plots and pictures, into runs/NAME of the dataset.
    """
    from oidata.dataset import Dataset
    from oidata.evaluate import Request, evaluate

    request = Request(
        file=file,
        run=run,
        against=against,
        splits=tuple(split or ()),
        score_threshold=score_threshold,
        config=config,
        count_stripped=stripped == StrippedTruth.counted,
    )
    report = evaluate(Dataset.open(dataset), request)
    _print(report, report.summary, as_json=as_json)


@app.command("inspect", short_help="Open the FiftyOne App on the dataset, and on the failures of a run.")
def inspect_command(
    context: typer.Context,
    dataset: DirectoryOption = Path("data"),
    run: Annotated[
        str | None, typer.Option(metavar="NAME", help="The run to show.  [default: the newest, if there is one]")
    ] = None,
    view: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The saved view to open.  [default: that of the most failures]"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The dataset in FiftyOne.  [default: the one made last of DIR, else a new one called as DIR is, "
            "with a number where that name is taken]",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="N", help="Where the App is served.")] = 5151,
    remote: Annotated[
        bool,
        typer.Option(
            "--remote",
            help="Serve it to other machines too. Who reaches the port can read the files that you can read: an SSH "
            "tunnel to the default, this machine alone, is safer.",
        ),
    ] = False,
    no_launch: Annotated[
        bool, typer.Option("--no-launch", help="Make the FiftyOne dataset, say which views it has, and end.")
    ] = False,
    pull: Annotated[
        bool,
        typer.Option(
            "--pull",
            help="Bring back the tags set in the App, after a question: drop, on a box or a photo; relabel:CLASS, on "
            "a box. Those that were taken off are taken back.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --pull: do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Open the FiftyOne App on the failures of a run, each with its cause; before there is one, on the dataset.

    Run it again to refresh: your tags, fields and views stay. Ctrl-C ends the App.
    """
    from oidata.app.server import Place
    from oidata.dataset import Dataset
    from oidata.inspect import Request, inspect, open_app
    from oidata.inspect import pull as pull_tags

    if yes and not pull:
        raise UsageError("--yes answers what --pull asks.", "Leave it out, or add --pull.")
    opened = Dataset.open(dataset)
    if pull:
        if unused := _typed(context, ("run", "view", "port", "remote", "no_launch")):
            names = ", ".join(f"--{each.replace('_', '-')}" for each in unused)
            raise UsageError(f"--pull opens nothing, so it has no use for {names}.", "Leave out one or the other.")
        pulled = pull_tags(opened, lambda found: yes or _agrees(found, as_json=as_json), name)
        if pulled.is_written or not pulled.changes or as_json:
            _print(pulled, pulled.summary, as_json=as_json)
        if pulled.changes and not pulled.is_written:
            complain("Nothing was written.", "" if sys.stdin.isatty() else "To write it: oidata inspect --pull --yes")
            raise typer.Exit(EXIT_ERROR)
        return
    place = Place(port, remote)
    if not no_launch:
        place.check_free()
    report = inspect(opened, Request(run, view, name), _progress(quiet=as_json))
    _print(report, report.summary, as_json=as_json)
    if not no_launch:
        shown = open_app(opened, report, place)
        typer.echo(f"\nThe App is at {shown.url} until you press Ctrl-C.", err=as_json)
        shown.wait()


@app.command("demo", short_help="Take every verb to the embedded sample, with the sample's own SSD.")
def demo_command(
    context: typer.Context,
    dataset: Annotated[
        Path, typer.Option("-d", "--dataset", metavar="DIR", readable=False, help="Where the sample becomes a dataset.")
    ] = Path("oidata-demo"),
    open_: Annotated[bool, typer.Option("--open", help="Open the FiftyOne App at the end; Ctrl-C ends it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take every verb to the embedded sample, with the sample's own SSD: what each does, and what it finds.

    Needs no network. Run it again to see it again: what is there is kept.
    """
    from oidata.demo import demo
    from oidata.report.terminal import show_step

    if open_ and as_json:
        raise UsageError("--json prints the report, and --open waits for you.", "Give one of them.")
    console = _console()
    report = demo(dataset, lambda step: None if as_json else show_step(step, console), _progress(quiet=as_json))
    if as_json:
        _print_json(report)
        return
    typer.echo("Pages with plots and pictures:")
    for path in report.reports:
        typer.echo(f"  {path}")
    if open_:
        inspect_command(context, dataset)
    elif report.steps[-1].is_done:
        typer.echo(f"The failures in the FiftyOne App:\n  oidata inspect -d {dataset}")


def _agrees(report: PullReport, *, as_json: bool) -> bool:
    """Show what a pull would change, and ask whether to write it; where nobody can answer, the answer is no."""
    if not as_json:
        _print(report, report.summary, as_json=False)
    return sys.stdin.isatty() and typer.confirm("Write this?", err=True)


def _given(context: typer.Context, names: Iterable[str]) -> list[str]:
    """Those of the switches that were typed, as they were typed."""
    return [f"--{name}" if context.params[name] else f"--no-{name}" for name in _typed(context, names)]


def _typed(context: typer.Context, names: Iterable[str]) -> list[str]:
    """Those of the parameters that were typed."""
    sources = {name: context.get_parameter_source(name) for name in names}
    return [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]


def _num_shards(text: str) -> int | dict[str, int]:
    """`10` are ten shards of every split, `train=10,val=2` those of two."""
    if re.fullmatch(r"-?\d+", text.strip()):
        return int(text)
    pairs = [re.fullmatch(r"(\w+)=(-?\d+)", part.strip()) for part in text.split(",")]
    if not all(pairs):
        raise UsageError(f"--splits {text!r} is no number of shards.", "Write 10, or train=10,val=2,test=2.")
    numbers = {pair[1]: int(pair[2]) for pair in pairs if pair}
    if len(numbers) < len(pairs):
        raise UsageError(f"--splits {text!r} names a split twice.", "Give each of them one number.")
    return numbers


def _feature_maps(text: str | None) -> tuple[tuple[int, int], ...] | None:
    """`19,10x12` are maps of 19 × 19 and of 10 × 12 cells (rows × columns)."""
    if text is None:
        return None
    maps = [re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", part.strip()) for part in text.split(",")]
    if not all(maps):
        raise UsageError(f"--feature-maps {text!r} is no list of numbers of cells.", "Write it so: 19,10,5,3,2,1")
    return tuple((int(each[1]), int(each[2] or each[1])) for each in maps if each)


def _progress(*, quiet: bool) -> Progress:
    from rich.console import Console

    from oidata.report.progress import Bars, Lines, Silence

    console = Console(stderr=True)
    if quiet:
        return Silence()
    return Bars(console) if console.is_terminal else Lines(console)


def _print(report: Any, summary: Callable[[], Summary], *, as_json: bool) -> None:  # noqa: ANN401 - any frozen report
    if as_json:
        _print_json(report)
        return
    from oidata.report.terminal import show

    show(summary(), _console())


def _print_json(report: Any) -> None:  # noqa: ANN401 - any frozen report
    values = report.to_dict() if hasattr(report, "to_dict") else asdict(report)
    typer.echo(json.dumps(values, indent=2, ensure_ascii=False))


def _console() -> Console:
    from rich.console import Console

    # A pipe has no width: what is cut to 80 columns there would be lost.
    return Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
