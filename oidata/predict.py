"""`oidata predict`: what a trained model detects on the photos of a dataset, kept as a run."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from typing import TYPE_CHECKING, Final

import pandas as pd

from oidata.core.prediction.sieve import Sieve
from oidata.core.release.selection import splits_of
from oidata.core.statistics import places, usable
from oidata.core.tables import TEST, VALIDATION
from oidata.core.words import counted, listed
from oidata.errors import ConfigError, DatasetError, ModelError, OidataError, PhotoError, StorageError, UsageError
from oidata.io import files
from oidata.io.checkpoints import Checkpoint, Checkpoints
from oidata.io.configs import CONFIG_NAME, read_config
from oidata.io.label_maps import LABEL_MAP_NAME, read_label_map
from oidata.io.model_photos import ahead
from oidata.io.models import file_near, model_files, open_model, saved_model_directory
from oidata.io.photos import sha256_of
from oidata.report.predict_report import Now, PredictReport, predict_report
from oidata.report.progress import Progress, Silence, photo_by_photo
from oidata.runs import Run, RunInfo, run_name, run_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from oidata.core.config.pipeline import PipelineConfig
    from oidata.core.prediction.postprocessing import RawDetections
    from oidata.dataset import Dataset
    from oidata.io.models import Detector

# Liu et al., SSD: Single Shot MultiBox Detector (ECCV 2016), section 3.7: "a confidence threshold of 0.01".
SCORE_THRESHOLD: Final = 0.01
BATCH: Final = 32
_UNTELLING: Final = frozenset({"saved_model", "frozen_inference_graph"})  # what TFOD's exporters call every model


@dataclass(frozen=True)
class Request:
    """What to run on which photos.

    run: the name to keep it by; by default the model's. splits: by default validation and test, as far as there are
    photos of them, else all. label_map: .pbtxt or .txt; by default the label_map.pbtxt near the model, else that of the
    dataset's shards. config: the pipeline.config that the model was trained with; by default the one near the model,
    else, where the model needs one, the dataset's. Detections that do not score above `score_threshold` are dropped.
    batch: photos after which results are put by.
    """

    model: Path
    run: str | None = None
    splits: tuple[str, ...] = ()
    label_map: Path | None = None
    config: str | Path | None = None
    score_threshold: float = SCORE_THRESHOLD
    batch: int = BATCH

    def __post_init__(self) -> None:
        """Raise UsageError for a threshold that no score can be compared with, and for no photos at a time."""
        if not 0 <= self.score_threshold <= 1:
            hint = f"Scores are in [0, 1]: {SCORE_THRESHOLD} keeps all but the hopeless."
            raise UsageError(f"The score threshold {self.score_threshold:g} is not in [0, 1].", hint)
        if self.batch < 1:
            raise UsageError(f"Results cannot be put by after {self.batch} photos.", "Give 1 or more.")

    @property
    def name(self) -> str:
        """What the run is called."""
        return self.run or default_name(self.model)


def default_name(model: Path) -> str:
    """What a run of that model is called: as the file or directory, or the one above, where TFOD chose the name."""
    place = (saved_model_directory(model) if model.name == "saved_model.pb" else None) or model
    place = place.resolve()
    name = place.name if place.is_dir() else place.stem
    if name in _UNTELLING:
        name = place.parent.name
    return run_name(name)


def predict(dataset: Dataset, request: Request, progress: Progress | None = None) -> PredictReport:
    """Run a model on the photos of a dataset, or go on where this was stopped; photos that a run has are kept.

    A run of the same name is replaced if another model made it, or other settings. Raises UsageError, DatasetError
    where there are no photos, ModelError, ConfigError for a config or a label map that does not fit, PhotoError where
    no photo can be read, StorageError.
    """
    path = run_path(dataset, request.name)
    photos = _photos(dataset, request.splits)
    model = _Model.opened(dataset, request)
    with files.locked(path):
        there = Run.there(dataset, request.name)
        same = there if there is not None and there.info.identity == model.info.identity else None
        checkpoints = Checkpoints.of(path, model.info.identity)
        found = checkpoints.read()
        done = {*(same.info.processed if same else ()), *(name for each in found for name in each.processed)}
        todo = photos[~photos["image_id"].isin(done)]
        unreadable = _detect(_paths(dataset, todo), model, request.batch, checkpoints, progress or Silence())
        if len(unreadable) == len(photos):
            photo, reason = next(iter(unreadable.items()))
            raise PhotoError(f"No photo could be looked at. {photo}: {reason}", "Run the same oidata fetch again.")
        found, asked = checkpoints.read(), set(photos["split"])
        run = same
        if run is None or found or not asked <= set(run.info.splits):
            info, detections = _together(replace(model.info, splits=splits_of(asked)), same, found)
            config = model.config.text if model.config else None
            run = Run.create(dataset, request.name, info, _sorted(detections, dataset.images()), config)
        checkpoints.discard()
    replaced = there is not None and same is None
    now = Now(str(model.info.label_map), model.label_map_origin, len(done), replaced, unreadable)
    return predict_report(dataset, run, model.sieve.names, now)


def _photos(dataset: Dataset, asked: Sequence[str]) -> pd.DataFrame:
    """The usable photos of the splits, in the order of IMAGES.

    Raises UsageError for a split that the dataset lacks, DatasetError where there is no such photo.
    """
    images = dataset.images()
    images = images[usable(images)]
    chosen = dataset.splits(asked)
    held_out = images["split"].isin([VALIDATION, TEST])
    photos = images[held_out] if not asked and held_out.any() else images[images["split"].isin(chosen)]
    if photos.empty:
        hint = "Fetch more, or name other splits: --split all."
        raise DatasetError(f"{dataset.path} has no whole photo in {', '.join(chosen)}.", hint)
    return photos


@dataclass(frozen=True, eq=False)
class _Model:
    """A model that is ready to run, and what is known of the run before any photo is.

    label_map_origin: as oidata.report.predict_report.LABEL_MAP_ORIGINS.
    """

    detector: Detector
    config: PipelineConfig | None
    sieve: Sieve
    label_map_origin: str
    info: RunInfo

    @classmethod
    def opened(cls, dataset: Dataset, request: Request) -> _Model:
        """The model of a request, with the config and the label map that belong to it."""
        given = request.config or file_near(request.model, CONFIG_NAME)
        config = None if given is None else read_config(given)
        detector = open_model(request.model, config, lambda: _config(dataset), request.score_threshold)
        path, origin = _label_map(dataset, request)
        names, mids = read_label_map(path, dataset.info.classes), dataset.info.classes.mids
        if not set(mids) & set(names.values()):
            ours = ", ".join(dataset.info.classes.names.values())
            fault = f"{path} has no class of the dataset, which is of {ours}; it has {listed(names.values())}."
            raise ConfigError(fault, "Give the label map that the model was trained with: --label-map.")
        _check_ids(names, detector.num_classes, path, is_strict=origin == "dataset")
        config = detector.config or config
        texts = {"config": config.text if config else "", "label_map": json.dumps(sorted(names.items()))}
        info = RunInfo(
            source=str(request.model),
            sha256=_sha256(request.model),
            is_model=True,
            config=config.name if config else None,
            label_map=str(path),
            score_threshold=request.score_threshold,
            splits=(),
            processed=(),
            left_out={},
            made_from={name: sha256_of(text.encode()) for name, text in texts.items() if text},
        )
        sieve = Sieve(names, mids, request.score_threshold, is_strict=origin == "dataset")
        return cls(detector, config, sieve, origin, info)

    def detect(self, photo: Path) -> tuple[RawDetections, dict[str, int]]:
        """What it finds in a photo that is kept, and how much is left out, by reason.

        Raises PhotoError for a photo that cannot be read, and ModelError or ConfigError that names the photo.
        """
        try:
            return self.sieve.sift(self.detector.detect(photo.read_bytes()))
        except OSError as error:
            raise PhotoError(f"It cannot be read: {error.strerror}.") from error
        except PhotoError:
            raise
        except OidataError as error:
            raise type(error)(f"{photo}: {error.message}", error.hint) from error
        except (RuntimeError, ValueError) as error:  # of the interpreter
            reason = str(error).partition("\n")[0].rstrip(".")
            raise ModelError(f"{photo}: the model fails: {reason}.", "Convert the model again.") from error


def _config(dataset: Dataset) -> PipelineConfig | None:
    return read_config(dataset.config_path) if dataset.config_path.is_file() else None


def _label_map(dataset: Dataset, request: Request) -> tuple[Path, str]:
    """Which label map to take, and where it comes from. Raises ConfigError where there is none."""
    if request.label_map is not None:
        return request.label_map, "given"
    if near := file_near(request.model, LABEL_MAP_NAME):
        return near, "near"
    if dataset.label_map_path.is_file():
        return dataset.label_map_path, "dataset"
    fault = f"What the class ids of {request.model} stand for is not known: there is no label_map.pbtxt near it"
    hint = "Give the label map that the model was trained with: --label-map FILE."
    raise ConfigError(f"{fault}, and none at {dataset.label_map_path}.", hint)


def _check_ids(names: Mapping[int, str], num_classes: int | None, path: Path, *, is_strict: bool) -> None:
    """Raise ConfigError for a label map of other ids than the model's, as far as these are known."""
    if num_classes is None:
        return
    if max(names) > num_classes or (is_strict and len(names) != num_classes):
        ids = f"{counted(len(names), 'class', 'classes')} up to the id {max(names)}"
        fault = f"{path} has {ids}, and the model has {counted(num_classes, 'class', 'classes')}."
        raise ConfigError(fault, "Give the label map that the model was trained with: --label-map.")


def _sha256(model: Path) -> str:
    """Of a file; of a SavedModel that of its files' names and SHA-256, sorted. Raises StorageError."""
    hashes = {}
    for path in model_files(model):
        try:
            with path.open("rb") as file:
                hashes[path] = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise StorageError.unread(error, path) from error
    if (directory := saved_model_directory(model)) is None:
        return hashes[model]
    lines = [f"{path.relative_to(directory).as_posix()} {digest}\n" for path, digest in hashes.items()]
    return sha256("".join(lines).encode()).hexdigest()


def _paths(dataset: Dataset, photos: pd.DataFrame) -> dict[str, Path]:
    """Where each photo is, by split/image_id."""
    names = zip(photos["split"], photos["image_id"], strict=True)
    return {f"{split}/{image_id}": dataset.photo_path(split, image_id) for split, image_id in names}


def _detect(
    paths: Mapping[str, Path], model: _Model, batch: int, checkpoints: Checkpoints, progress: Progress
) -> dict[str, str]:
    """Look at the photos and put by what is found; why, by split/image_id, of those that cannot be looked at."""
    kept: dict[str, RawDetections] = {}
    left_out: Counter[str] = Counter()
    unreadable: dict[str, str] = {}

    def put_by() -> None:
        checkpoints.add(Checkpoint(model.sieve.rows(kept), tuple(kept), dict(left_out)))
        kept.clear()
        left_out.clear()

    with photo_by_photo(progress, "photos looked at", len(paths)) as advance:
        for name, future in zip(paths, ahead(model.detect, paths.values()), strict=True):
            try:
                kept[name.partition("/")[2]], others = future.result()
                left_out.update(others)
            except PhotoError as error:
                unreadable[name] = error.message
            advance()
            if len(kept) == batch:
                put_by()
        if kept:
            put_by()
    return unreadable


def _together(info: RunInfo, same: Run | None, found: Sequence[Checkpoint]) -> tuple[RunInfo, pd.DataFrame]:
    """What a run has become with what was found since: where it comes from, and DETECTIONS in any order."""
    parts = [Checkpoint(same.detections(), same.info.processed, same.info.left_out)] if same else []
    parts += found
    left_out: Counter[str] = Counter()
    for part in parts:
        left_out.update(part.left_out)
    info = replace(
        info,
        splits=splits_of({*info.splits, *(same.info.splits if same else ())}),
        processed=tuple(sorted(name for part in parts for name in part.processed)),
        left_out=dict(left_out),
    )
    return info, pd.concat([part.detections for part in parts], ignore_index=True)


def _sorted(detections: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """DETECTIONS by photo, in the order of IMAGES, and then by score, the best first."""
    order = places(detections["image_id"], images["image_id"])
    rows = detections.assign(order=order).sort_values(["order", "score"], ascending=[True, False])
    return rows.drop(columns="order").reset_index(drop=True)
