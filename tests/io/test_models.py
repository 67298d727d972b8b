"""Laws of running trained detectors, on small models with TFOD's signatures and on a real one."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from oidata.core import boxes
from oidata.core.config.pipeline import PipelineConfig, with_values
from oidata.core.matcher.detector import Detector as SsdParts
from oidata.core.prediction.postprocessing import RawDetections
from oidata.errors import ConfigError, ModelError, PhotoError
from oidata.io.configs import read_config
from oidata.io.lite_outputs import BOXES, CLASSES, COUNT, ENCODINGS, PREDICTIONS, SCORES, Tensor, bind
from oidata.io.model_photos import ahead, decode
from oidata.io.models import open_model
from tests.conftest import SHARED, absent
from tests.io import exported

ORIENTATION = 0x0112
RED = (204, 102, 0)  # shares 0.8 and 0.4
SIZE_PX = 64
CONFIG = {
    "model.ssd.num_classes": 2,
    "model.ssd.image_resizer.fixed_shape_resizer.height": SIZE_PX,
    "model.ssd.image_resizer.fixed_shape_resizer.width": SIZE_PX,
}
QUARTERS = [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]


def photo(color: tuple[int, int, int] = RED, size_px: tuple[int, int] = (40, 24), orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    Image.new("RGB", size_px, color).save(file, "JPEG", quality=100, exif=exif)
    return file.getvalue()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def frozen(path: Path) -> Path:
    return written(path / "frozen_inference_graph.pb", exported.tf1_graph().as_graph_def().SerializeToString())


FORMATS: dict[str, Callable[[Path], Path | None]] = {
    "tf2": exported.saved_model,
    "tf2 of floats": lambda path: exported.saved_model(path, "float_image_tensor"),
    "tf2 of JPEGs": lambda path: exported.saved_model(path, "encoded_image_string_tensor"),
    "tf1": lambda path: exported.tf1_saved_model(path / "saved_model"),
    "tf1 of JPEGs": lambda path: exported.tf1_saved_model(path / "saved_model", "encoded_image_string_tensor"),
    "frozen": frozen,
    "tflite": lambda path: written(path / "detect.tflite", exported.lite_post_processed(path)),
    "tflite of integers": lambda path: written(
        path / "detect.tflite", exported.lite_post_processed(path, is_quantised=True)
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_detections(name: str, tmp_path: Path) -> None:
    """Boxes are xyxy, classes count from 1, padding is left out, and photos of several sizes have one result each."""
    detector = open_model(FORMATS[name](tmp_path) or tmp_path)
    photos = [photo(), photo((0, 255, 0), (24, 40)), photo((0, 0, 255))]
    both, one, none = map(detector.detect, photos)
    assert both.boxes.dtype == both.scores.dtype == np.float32
    np.testing.assert_allclose(both.boxes, QUARTERS, atol=0.01 if "integers" in name else 0)
    np.testing.assert_allclose(both.scores, [0.8, 0.4], atol=0.02)  # JPEG, and quantisation
    assert both.class_ids.tolist() == [1, 2]
    assert one.class_ids[one.scores > 0.1].tolist() == [2]
    assert not (none.scores > 0.1).any()


@pytest.mark.parametrize("name", ["tf2", "tf2 of JPEGs", "tflite"])
def test_what_is_no_photo_is_named_as_such(name: str, tmp_path: Path) -> None:
    """Bytes that TensorFlow does not decode raise PhotoError."""
    detector = open_model(FORMATS[name](tmp_path) or tmp_path)
    with pytest.raises(PhotoError):
        detector.detect(b"\xff\xd8 no photo")
    assert len(detector.detect(photo())) >= 2


def test_pixels_are_those_that_are_stored() -> None:
    """EXIF orientation is not applied, and a gray photo has three channels."""
    assert decode(photo(size_px=(40, 24), orientation=6)).shape == (24, 40, 3)
    file = io.BytesIO()
    Image.new("L", (8, 8), 99).save(file, "JPEG")
    assert decode(file.getvalue()).tolist() == [[[99] * 3] * 8] * 8


def test_jobs_are_done_in_order_and_not_all_at_once() -> None:
    """Results come in the order of the jobs; of many, only some are done before the first is asked for."""
    done: list[int] = []

    def task(job: int) -> int:
        done.append(job)
        return -job

    results = ahead(task, range(200))
    assert next(results).result() == 0
    assert len(done) < 200
    assert [result.result() for result in results] == [-job for job in range(1, 200)]


def test_an_error_is_of_one_job() -> None:
    """The job that fails says so when it is asked for, and the others are done."""

    def task(job: int) -> float:
        return 1 / job

    first, failed, last = ahead(task, [2, 0, 4])
    assert (first.result(), last.result()) == (0.5, 0.25)
    assert isinstance(failed.exception(), ZeroDivisionError)


@pytest.mark.parametrize("name", ["tf2", "tflite"])
def test_threads_may_ask_at_once(name: str, tmp_path: Path) -> None:
    """Asked by several threads, a model finds in each photo what it finds in it alone."""
    detector = open_model(FORMATS[name](tmp_path) or tmp_path)
    photos = [photo((level, 255 - level, 0)) for level in range(0, 256, 15)]
    alone = [detector.detect(each).scores.tolist() for each in photos]
    assert [each.result().scores.tolist() for each in ahead(detector.detect, photos)] == alone


@pytest.fixture(scope="module")
def small() -> PipelineConfig:
    """A config of 2 classes and inputs of 64 px."""
    return with_values(read_config("oid_v4"), CONFIG, "small.config")


@pytest.fixture
def logits(small: PipelineConfig) -> np.ndarray:
    """Of which only anchor 5 is of class 2."""
    anchors = SsdParts.of(small).grid_for(SIZE_PX, SIZE_PX).boxes()
    values = np.full((len(anchors), 3), -12, np.float32)
    values[5, 2] = 2
    return values


@pytest.mark.parametrize("is_converted", [False, True])
@pytest.mark.parametrize("is_quantised", [False, True])
def test_raw_outputs_are_decoded_with_the_config(
    small: PipelineConfig,
    logits: np.ndarray,
    tmp_path: Path,
    is_converted: bool,  # noqa: FBT001 - parametrised
    is_quantised: bool,  # noqa: FBT001 - parametrised
) -> None:
    """An encoding of 0 is the anchor, clipped; predictions are logits, or scores where TFOD has converted them."""
    values = 1 / (1 + np.exp(-logits)) if is_converted else logits
    content = exported.lite_raw(tmp_path, SIZE_PX, values, is_quantised=is_quantised)
    detector = open_model(written(tmp_path / "raw.tflite", content), small)
    found = detector.detect(photo())
    assert (detector.config, detector.num_classes) == (small, 2)
    anchor = SsdParts.of(small).grid_for(SIZE_PX, SIZE_PX).boxes()[5]
    np.testing.assert_allclose(found.boxes[0], np.clip(anchor, 0, 1), atol=1e-6)
    assert found.class_ids[0] == 2
    np.testing.assert_allclose(found.scores[0], 0.8807971, atol=0.01)
    assert (found.scores[1:] < 0.01).all()


def test_a_config_is_looked_for_where_one_is_needed(small: PipelineConfig, logits: np.ndarray, tmp_path: Path) -> None:
    """The fallback is taken for raw outputs without a config, and else not asked for."""
    raw = written(tmp_path / "raw.tflite", exported.lite_raw(tmp_path / "raw", SIZE_PX, logits))
    assert open_model(raw, fallback=lambda: small).config == small
    whole = written(tmp_path / "whole.tflite", exported.lite_post_processed(tmp_path / "whole"))
    for path, config in ((raw, small), (whole, None)):
        assert open_model(path, config, lambda: pytest.fail("it was asked for")).config == config


def test_low_scores_may_be_left_out(small: PipelineConfig, logits: np.ndarray, tmp_path: Path) -> None:
    """Above a score threshold a model with raw outputs finds what it finds without one."""
    path = written(tmp_path / "raw.tflite", exported.lite_raw(tmp_path, SIZE_PX, logits))
    every, some = (open_model(path, small, score_threshold=least).detect(photo()) for least in (0.0, 0.01))
    assert len(every) > len(some) == 1
    assert (every.boxes[:1] == some.boxes).all()


def test_a_config_that_does_not_fit_is_refused(small: PipelineConfig, logits: np.ndarray, tmp_path: Path) -> None:
    """Raw outputs need a config, with as many anchors and classes and the size of the input."""
    path = written(tmp_path / "raw.tflite", exported.lite_raw(tmp_path, SIZE_PX, logits))
    resizer = "model.ssd.image_resizer.fixed_shape_resizer"
    for config, fault in [
        (None, "has raw outputs"),
        (with_values(small, {"model.ssd.num_classes": 9}, "c"), "has 3 classes with background, and c has 10"),
        (with_values(small, {"model.ssd.anchor_generator.ssd_anchor_generator.num_layers": 5}, "c"), "layers"),
        (with_values(small, {f"{resizer}.width": 300}, "c"), "64 × 64 px, and c makes them of 64 × 300 px"),
    ]:
        with pytest.raises(ConfigError, match=fault):
            open_model(path, config)


def test_a_model_that_is_no_detector_is_told_by_its_outputs(tmp_path: Path) -> None:
    """ModelError names the outputs that a model has."""
    import tensorflow as tf

    lite = written(tmp_path / "classifier.tflite", exported.lite_classifier(tmp_path / "lite"))
    with pytest.raises(ModelError, match=r"its outputs are PartitionedCall:0 \[1, 3\] float32"):
        open_model(lite)
    with tf.Graph().as_default() as graph:
        tf.identity(tf.compat.v1.placeholder(tf.float32, (1,), name="x"), name="logits")
    with pytest.raises(ModelError, match="its outputs are logits"):
        open_model(written(tmp_path / "graph.pb", graph.as_graph_def().SerializeToString()))
    with pytest.raises(ModelError, match="its outputs are output_0"):
        open_model(tmp_path / "lite")


def test_a_model_that_takes_no_photo_is_refused(tmp_path: Path) -> None:
    """TFOD also exports models that take tf.Examples: ModelError says how to export them."""
    exported.tf1_saved_model(tmp_path / "saved_model", "tf_example")
    with pytest.raises(ModelError, match=r"takes tf_example, and not one photo.*image_tensor"):
        open_model(tmp_path)


@pytest.mark.parametrize("name", ["junk.tflite", "junk.pb", "saved_model.pb", "junk.h5", "absent"])
def test_what_is_no_model_is_refused(name: str, tmp_path: Path) -> None:
    """A file of another kind, a damaged one, and none at all raise ModelError that names it."""
    if name != "absent":
        (tmp_path / name).write_bytes(b"no model at all")
    with pytest.raises(ModelError, match=str(tmp_path)):
        open_model(tmp_path / name)


TRIED = {
    BOXES: np.array([[[0, 0, 0.5, 0.5], [0, 0, 1, 1]]], np.float32),
    CLASSES: np.array([[1, 0]], np.float32),
    SCORES: np.array([[0.75, 0.25]], np.float32),
    COUNT: np.array([2], np.float32),
}
TF1 = {BOXES: "", CLASSES: ":1", SCORES: ":2", COUNT: ":3"}
TF2 = {COUNT: ":0", SCORES: ":1", CLASSES: ":2", BOXES: ":3"}


@pytest.mark.parametrize(
    "names",
    [
        {role: f"TFLite_Detection_PostProcess{suffix}" for role, suffix in TF1.items()},
        {role: f"StatefulPartitionedCall{suffix}" for role, suffix in TF2.items()},
        {role: f"StatefulPartitionedCall:3{number}" for number, role in enumerate(TF1)},
        dict.fromkeys(TF1, "anything"),
    ],
)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 3, 1)])
def test_outputs_are_bound_by_name_or_shape_in_any_order(names: dict[str, str], order: tuple[int, ...]) -> None:
    """Each output is found for what it is, whatever its place, under the names of both exporters and under others."""
    roles = [list(TRIED)[place] for place in order]
    outputs = [Tensor(0, names[role], TRIED[role].shape, np.float32, 0.0, 0) for role in roles]
    bound = bind(outputs, [TRIED[role] for role in roles])
    assert bound == dict(zip(roles, outputs, strict=True))


def test_names_that_do_not_fit_the_shapes_are_not_believed() -> None:
    """Where a converter has numbered the outputs otherwise, their shapes and values decide."""
    outputs = [
        Tensor(0, f"StatefulPartitionedCall:{number}", values.shape, np.float32, 0.0, 0)
        for number, values in enumerate(TRIED.values())
    ]
    assert list(bind(outputs, list(TRIED.values()))) == list(TRIED)


def test_raw_outputs_are_told_from_others() -> None:
    """Box encodings have four columns, and as many rows as there are class predictions."""
    encodings, predictions = np.zeros((1, 7, 4), np.float32), np.zeros((1, 7, 9), np.float32)
    outputs = [Tensor(0, "", (), np.float32, 0.0, 0)] * 2
    assert list(bind(outputs, [predictions, encodings])) == [PREDICTIONS, ENCODINGS]
    assert not bind(outputs, [predictions[:, :5], encodings])
    assert not bind(outputs[:1], [encodings])


@pytest.mark.parametrize("scale, zero_point, expected", [(2 / 255, 127, [0, 254]), (1 / 128, 128, [0, 255])])
def test_integers_stand_for_the_values_that_the_model_says(scale: float, zero_point: int, expected: list[int]) -> None:
    """An input is stored by scale and zero point, within what its type holds, and reads back within half a step."""
    tensor = Tensor(0, "input", (2,), np.uint8, scale, zero_point)
    stored = tensor.stored(np.array([-1, 1], np.float32))
    assert stored.tolist() == expected
    np.testing.assert_allclose(tensor.real(stored), [-1, 1], atol=scale + 1e-6)


@pytest.fixture(scope="session")
def found_by_the_real_model() -> dict[str, RawDetections]:
    """What a real SSD of 23 classes of Open Images finds in real photos that show some of them."""
    model, mirror = SHARED / "models/ssd_mobilenetv2_oidv4_fp16.tflite", SHARED / "openimages-mirror"
    if not (model.is_file() and mirror.is_dir()):
        absent("there is no real model, or no mirror of real photos")
    config = with_values(read_config("oid_v4"), {"model.ssd.num_classes": 23}, "real")
    photos = {path.stem: path for path in mirror.glob("*/*.jpg") if path.stem in set(known_boxes()["ImageID"])}
    detector = open_model(model, config)
    return {name: detector.detect(path.read_bytes()) for name, path in photos.items()}


# The ids, from 1, of those classes of the real model that the mirror has boxes of.
KNOWN = {"/m/01g317": 4, "/m/01mzpv": 5, "/m/02p5f1q": 13, "/m/04bcr3": 15, "/m/04dr76w": 16}


def known_boxes() -> pd.DataFrame:
    paths = sorted((SHARED / "openimages-mirror").glob("**/*-annotations-bbox.csv"))
    rows = pd.concat([pd.read_csv(path) for path in paths])
    return rows[rows["LabelName"].isin(list(KNOWN))]


def test_a_real_model_finds_what_real_photos_show(found_by_the_real_model: dict[str, RawDetections]) -> None:
    """Of 55 persons, chairs, coffee cups, tables and bottles it finds 49 at IoU 0.5, each as the class that it is."""
    num_found = 0
    known = known_boxes()
    truths = known[["XMin", "YMin", "XMax", "YMax"]].to_numpy(np.float32)
    for image_id, mid, truth in zip(known["ImageID"], known["LabelName"], truths, strict=True):
        found = found_by_the_real_model[image_id]
        of_class = found.boxes[found.class_ids == KNOWN[mid]]
        num_found += bool((boxes.iou(truth[None], of_class) >= 0.5).any())
    assert (len(known), num_found) == (55, 49)


def test_a_real_model_gives_detections_as_declared(found_by_the_real_model: dict[str, RawDetections]) -> None:
    """In each photo at most 100, the best first, inside of it, of the classes 1 to 23."""
    for found in found_by_the_real_model.values():
        assert 0 < len(found) <= 100
        assert (np.diff(found.scores) <= 0).all()
        assert ((found.boxes >= 0) & (found.boxes <= 1)).all()
        assert ((found.class_ids >= 1) & (found.class_ids <= 23)).all()
