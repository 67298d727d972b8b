"""The command line: parses, calls one verb, renders its report. The only place that prints or exits."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from oidata import __version__
from oidata.errors import OidataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oidata.report.progress import Progress
    from oidata.report.summary import Summary

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_PIPE_WIDTH = 200


class _Commands(TyperGroup):
    """The commands; every error that is ours becomes a message, a hint and an exit code, here and only here."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _complain("Interrupted. What is there is kept: run the same command again.")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except OidataError as error:
            _complain(f"Error: {error.message}", error.hint)
            raise typer.Exit(EXIT_USAGE if isinstance(error, UsageError) else EXIT_ERROR) from error
        except OSError as error:
            _complain(f"Error: {error}", "Check that path and run the same command again.")
            raise typer.Exit(EXIT_ERROR) from error


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


DirectoryOption = Annotated[Path, typer.Option("-d", "--dataset", metavar="DIR", help="The dataset directory.")]
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
        typer.Option(metavar="FILE", help="Exactly the photos of this manifest.tsv; other bytes are an error."),
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=1024, help="Photos to download at once.")] = 32,
    offline: Annotated[bool, typer.Option("--offline", help="Use the metadata cache only, and ask no server.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Download classes of Open Images: photos, boxes, verified labels, attribution. Run it again to complete it."""
    from oidata.core.selection import Quota
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
        splits=tuple(name for name in SPLITS if name in _full_names(split or SPLITS)),
        source=source or OFFICIAL,
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
    flags = [name for name, is_on in chosen.items() if is_on]
    opened = Dataset.open(dataset)
    report = unstrip(opened) if none else strip(opened, flags, with_unknown=unknown)
    _print(report, report.summary, as_json=as_json)


def main() -> None:
    """Run the command line."""
    app()


def _full_names(splits: Sequence[str]) -> set[str]:
    return {"validation" if split == "val" else str(split) for split in splits}


def _progress(*, quiet: bool) -> Progress:
    from rich.console import Console

    from oidata.report.progress import Bars, Lines, Silence

    console = Console(stderr=True)
    if quiet:
        return Silence()
    return Bars(console) if console.is_terminal else Lines(console)


def _print(report: Any, summary: Callable[[], Summary], *, as_json: bool) -> None:  # noqa: ANN401 - any frozen report
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    from oidata.report.terminal import show

    # A pipe has no width: what is cut to 80 columns there would be lost.
    show(summary(), Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH))


def _complain(*lines: str) -> None:
    typer.echo("\n".join(line for line in lines if line), err=True)
