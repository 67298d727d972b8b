"""What a pipeline config does to training on this dataset. The rules stand in the order of their weight."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oidata.core.auditing.evidence import Evidence, Reads, Rule
from oidata.core.auditing.findings import Area, Finding, Severity
from oidata.core.config.pipeline import differences
from oidata.core.config.schedule import schedule
from oidata.core.tables import TRAIN, VALIDATION
from oidata.core.words import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from oidata.core.config.pipeline import Difference
    from oidata.core.config.pipeline_pb2 import PreprocessingStep

# He, Girshick, Dollár: Rethinking ImageNet Pre-training (2019), section 5: from scratch catches up with 10,000 COCO
# photos, and breaks down with fewer.
ENOUGH_FROM_SCRATCH = 10_000
# Liu et al.: SSD (2016), section 3.1: 120,000 steps of 32 on the 16,551 photos of VOC07+12, its longest schedule.
MAX_EPOCHS = 232
# A rate that ends above this share of its peak has not decayed in any sense.
DECAYED = 0.5
# Weights that differ less than this are the same.
_CLOSE = 1e-6

# Shards are numbered with as many digits as there are question marks: train.record-?????-of-00010.
_SHARDS = re.compile(r"-(\?+)-of-(\d+)$")

# TFOD samples/configs/ssd_mobilenet_v2_oid_v4.config, RMSProp.
_OID_RATE = 0.0008
_OID_BATCH = 24
_HIGH = 2.0

_NUM_FAULTS = 5
_TFOD_TRAIN = "TFOD protos/train.proto"
# Not random_image_scale: what it scales, the resizer takes back.
_ZOOMS_OUT = frozenset(
    {
        "ssd_random_crop_pad",
        "ssd_random_crop_pad_fixed_aspect_ratio",
        "random_pad_image",
        "random_absolute_pad_image",
        "random_crop_pad_image",
        "random_self_concat_image",
        "random_square_crop_by_scale",
        "random_scale_crop_and_pad_to_square",
    }
)


def _no_checkpoint(evidence: Evidence) -> Finding | None:
    checkpoint = evidence.train.fine_tune_checkpoint
    if (checkpoint and not _is_placeholder(checkpoint)) or TRAIN not in evidence.splits:
        return None
    num_photos = evidence.num_train_photos
    return Finding(
        name="no_checkpoint",
        area=Area.TRAINING,
        severity=Severity.ERROR if num_photos < ENOUGH_FROM_SCRATCH else Severity.WARNING,
        what=f"Training cannot start: {checkpoint} is no checkpoint."
        if checkpoint
        else "Training starts from random weights: fine_tune_checkpoint is not set.",
        evidence=f"{counted(num_photos, 'train photo')}; from scratch, {ENOUGH_FROM_SCRATCH:,} are a floor.",
        effect="TFOD stops where it finds no such file."
        if checkpoint
        else "The backbone has to learn edges and textures from these photos alone, and overfits to them instead.",
        fix="Set train_config.fine_tune_checkpoint to the COCO or Open Images checkpoint of this model, with "
        'fine_tune_checkpoint_type: "detection".',
        source="He et al., Rethinking ImageNet Pre-training (2019), section 5",
    )


def _num_classes(evidence: Evidence) -> Finding | None:
    model = getattr(evidence.config.message.model, evidence.config.architecture, None)
    configured, there = getattr(model, "num_classes", None), len(evidence.classes.labels)
    if configured is None or configured == there:
        return None
    names = ", ".join(evidence.classes.names.values())
    return Finding(
        name="num_classes",
        area=Area.TRAINING,
        severity=Severity.ERROR,
        what=f"num_classes is {configured}, and the dataset has {there}.",
        evidence=f"The dataset's classes are {names}, with ids 1 to {there}.",
        effect="Ids above num_classes are refused or train as background; outputs without a class waste capacity.",
        fix=f"Set num_classes to {there}, and use the label map of this dataset.",
        source="TFOD protos/ssd.proto, num_classes",
    )


def _label_map(evidence: Evidence) -> Finding | None:
    labels = evidence.classes.labels
    names = {number: {label.mid, label.display_name} for number, label in enumerate(labels, start=1)}
    faults = [
        f"{path} gives id {number} to {text or 'nothing'}, the dataset to {labels[number - 1].display_name}"
        if number in names
        else f"{path} has id {number} ({text}), the dataset does not"
        for path, given in evidence.label_maps.items()
        for number in sorted({*names, *given})
        if (text := given.get(number, "")) not in names.get(number, set())
    ]
    if not faults:
        return None
    return Finding(
        name="label_map",
        area=Area.TRAINING,
        severity=Severity.ERROR,
        what="The label map is not that of this dataset.",
        evidence=f"{'; '.join(faults[:_NUM_FAULTS])}.",
        effect="Boxes train as other classes, or, where the name is unknown, as background.",
        fix="Write a label map with the ids of dataset.json: 1 for the first class.",
        source="TFOD data_decoders/tf_example_decoder.py",
    )


def _too_many_epochs(evidence: Evidence) -> Finding | None:
    train, num_photos = evidence.train, evidence.num_train_photos
    if not num_photos or not train.num_steps:
        return None
    epochs = train.num_steps * train.batch_size / num_photos
    if epochs <= MAX_EPOCHS:
        return None
    enough = max(1, round(MAX_EPOCHS * num_photos / train.batch_size))
    return Finding(
        name="too_many_epochs",
        area=Area.TRAINING,
        severity=Severity.WARNING,
        what=f"Training sees every photo about {epochs:,.0f} times.",
        evidence=f"{train.num_steps:,} steps × batch of {train.batch_size:,} over {counted(num_photos, 'photo')}; "
        f"SSD's own longest schedule is {MAX_EPOCHS} epochs, which is {enough:,} steps here.",
        effect="Validation loss rises again while training loss falls: the model learns the photos by heart.",
        fix=f"Set num_steps to at most {enough:,}, evaluate often, and keep the checkpoint of the best validation mAP.",
        source="Liu et al., SSD (2016), section 3.1",
    )


def _constant_rate(evidence: Evidence) -> Finding | None:
    rates, num_steps = schedule(evidence.train), evidence.train.num_steps
    if rates is None or not num_steps or rates.final <= DECAYED * rates.peak:
        return None
    return Finding(
        name="constant_learning_rate",
        area=Area.TRAINING,
        severity=Severity.WARNING,
        what=f"The learning rate {'never' if rates.final == rates.peak else 'hardly'} decays.",
        evidence=f"It is {rates.peak:g} at its highest and {rates.final:g} after {num_steps:,} steps"
        f"{_decay_steps(evidence)}.",
        effect="Weights keep jumping about the optimum, and the last points of mAP come when the rate falls: two "
        "trainings whose rate never fell lost 0.03 and 0.07 of AP50.",
        fix="Use cosine_decay_learning_rate with total_steps equal to num_steps and a warm-up, or set decay_steps to "
        "a fraction of num_steps.",
        source="TFOD utils/learning_schedules.py; oidata's benchmarks/RESULTS.md",
    )


def _decay_steps(evidence: Evidence) -> str:
    optimizer = evidence.train.optimizer
    name = optimizer.WhichOneof("optimizer")
    rate = getattr(optimizer, name).learning_rate if name else None
    if rate is None or rate.WhichOneof("learning_rate") != "exponential_decay_learning_rate":
        return ""
    return f", since decay_steps is {rate.exponential_decay_learning_rate.decay_steps:,}"


def _no_clipping(evidence: Evidence) -> Finding | None:
    if evidence.train.gradient_clipping_by_norm > 0:
        return None
    return Finding(
        name="no_gradient_clipping",
        area=Area.TRAINING,
        severity=Severity.WARNING,
        what="Gradients are not clipped.",
        evidence="train_config.gradient_clipping_by_norm is 0.",
        effect="One photo with a wrong or huge loss can throw the weights far off.",
        fix="Set gradient_clipping_by_norm: 10, as the Open Images reference config does.",
        source="TFOD samples/configs/ssd_mobilenet_v2_oid_v4.config",
    )


def _asynchronous(evidence: Evidence) -> Finding | None:
    workers = evidence.num_workers
    if not workers or workers < 2 or evidence.train.sync_replicas:  # noqa: PLR2004 - one worker has nobody to wait for
        return None
    return Finding(
        name="asynchronous_replicas",
        area=Area.TRAINING,
        severity=Severity.WARNING,
        what=f"{workers} replicas train asynchronously.",
        evidence=f"sync_replicas is false: a step is one replica's batch of {evidence.train.batch_size:,}, applied to "
        f"weights that {counted(workers - 1, 'other has', 'others have')} changed meanwhile.",
        effect="Gradients are stale by about as many steps as there are other replicas, which acts as a higher rate.",
        fix=f"Train on one machine, or set sync_replicas: true and replicas_to_aggregate: {workers}; else lower the "
        "learning rate.",
        source=f"{_TFOD_TRAIN}, sync_replicas; Chen et al., Revisiting Distributed Synchronous SGD (2016)",
    )


def _no_force_match(evidence: Evidence) -> Finding | None:
    matcher = evidence.ssd.matcher.argmax_matcher
    if evidence.config.architecture != "ssd" or matcher.force_match_for_each_row:
        return None
    return Finding(
        name="no_forced_match",
        area=Area.TRAINING,
        severity=Severity.WARNING,
        what="Boxes that get no anchor at the threshold are never learned.",
        evidence="argmax_matcher.force_match_for_each_row is false.",
        effect="Small and odd-shaped boxes train as background.",
        fix="Set force_match_for_each_row: true, as every SSD reference config does.",
        source="TFOD matchers/argmax_matcher.py",
    )


def _input_paths(evidence: Evidence) -> Finding | None:
    faults = list(_path_faults(evidence))
    if not faults:
        return None
    return Finding(
        name="input_paths",
        area=Area.TRAINING,
        severity=Severity.WARNING,
        what="The input paths are not as they should be.",
        evidence=" ".join(faults),
        effect="Training reads nothing, or something else than meant.",
        fix="Correct the paths.",
        source="TFOD protos/input_reader.proto",
    )


def _path_faults(evidence: Evidence) -> Iterator[str]:
    message = evidence.config.message
    train = tuple(message.train_input_reader.tf_record_input_reader.input_path)
    readers = [("train_input_reader", message.train_input_reader)]
    readers += [("eval_input_reader", reader) for reader in message.eval_input_reader]
    for name, reader in readers:
        paths = tuple(reader.tf_record_input_reader.input_path)
        if not paths:
            yield f"{name} has no input_path."
        for path in (*paths, *([reader.label_map_path] if reader.label_map_path else [])):
            yield from (f"{name} has {fault} {path!r}." for fault in _faults_of(path, evidence.unread_paths))
        if name != "train_input_reader" and paths and paths == train:
            yield f"{name} reads the train shards: {paths[0]!r}."


def _faults_of(path: str, unread: Collection[str]) -> Iterator[str]:
    if any(character.isspace() for character in path):
        yield "white space in"
    if _is_placeholder(path):
        yield "a placeholder for"
    shards = _SHARDS.search(path)
    if shards and len(shards[1]) != len(shards[2]):
        yield "a shard pattern that no file fits:"
    if path in unread:
        yield "no file at"


def _is_placeholder(path: str) -> bool:
    """Whether a path is one that TFOD's samples leave to be filled in."""
    return "PATH_TO_BE_CONFIGURED" in path or path.startswith("PATH/")


def _high_rate(evidence: Evidence) -> Finding | None:
    rates, batch = schedule(evidence.train), evidence.train.batch_size
    if rates is None or not evidence.train.optimizer.HasField("rms_prop_optimizer"):
        return None
    per_photo = rates.peak / max(batch, 1)
    times = per_photo / (_OID_RATE / _OID_BATCH)
    if times < _HIGH:
        return None
    return Finding(
        name="high_learning_rate",
        area=Area.TRAINING,
        severity=Severity.WARNING,
        what=f"The learning rate is {times:.1f} × that of the Open Images reference config.",
        evidence=f"{rates.peak:g} at a batch of {batch}; ssd_mobilenet_v2_oid_v4 has {_OID_RATE:g} at {_OID_BATCH}, "
        "with the same optimizer.",
        effect="A high rate washes out what a checkpoint knows before the new classes are learned.",
        fix=f"Start at {_OID_RATE * batch / _OID_BATCH:.2g}, with a warm-up.",
        source="TFOD samples/configs/ssd_mobilenet_v2_oid_v4.config",
    )


def _zooms_in_only(evidence: Evidence) -> Finding | None:
    steps = [_step_name(step) for step in evidence.train.data_augmentation_options]
    if _ZOOMS_OUT.intersection(steps):
        return None
    crops = [step for step in steps if "crop" in step]
    return Finding(
        name="no_zoom_out",
        area=Area.TRAINING,
        severity=Severity.WARNING if crops else Severity.INFO,
        what="Augmentation makes no object smaller than it is in the photos.",
        evidence=f"data_augmentation_options: {', '.join(steps) or 'none'}.",
        effect=f"{'Crops only zoom in, so small' if crops else 'Small'} objects stay as rare in training as they are "
        "in the dataset.",
        fix=f"Use ssd_random_crop_pad{f' instead of {crops[0]}' if crops else ''} if small objects matter.",
        source="TFOD core/preprocessor.py; Liu et al., SSD (2016), section 3.6",
    )


def _step_name(step: PreprocessingStep) -> str:
    return step.WhichOneof("preprocessing_step") or "unknown"


def _l2_without_backbone(evidence: Evidence) -> Finding | None:
    if evidence.nearest is None or evidence.config.architecture != "ssd":
        return None
    extractor, other = evidence.ssd.feature_extractor, evidence.nearest.message.model.ssd.feature_extractor
    own, reference = (each.conv_hyperparams.regularizer.l2_regularizer.weight for each in (extractor, other))
    if abs(own - reference) <= _CLOSE or not reference or extractor.override_base_feature_extractor_hyperparams:
        return None
    return Finding(
        name="l2_without_backbone",
        area=Area.TRAINING,
        severity=Severity.INFO,
        what="The L2 weight was changed, and does not reach the backbone.",
        evidence=f"It is {own:.2g}, {own / reference:.2f} × that of {evidence.nearest.name}, but "
        "override_base_feature_extractor_hyperparams is false: only the extra layers and the box predictor have it.",
        effect="Little: most weights, those of the backbone, keep their own regularisation.",
        fix="Leave it at the reference's value; more photos, fewer steps and a checkpoint do more against overfitting.",
        source="TFOD models/ssd_mobilenet_v2_feature_extractor.py",
    )


def _eval_examples(evidence: Evidence) -> Finding | None:
    message, facts = evidence.config.message, evidence.photos(VALIDATION)
    asked = message.eval_config.num_examples
    if facts is None or not message.eval_config.HasField("num_examples") or asked == facts.num_usable:
        return None
    return Finding(
        name="eval_num_examples",
        area=Area.TRAINING,
        severity=Severity.INFO,
        what=f"eval_config.num_examples is {asked:,}, validation has {counted(facts.num_usable, 'photo')}.",
        evidence="TF1 takes it as the number of examples to evaluate; the loop of TF2 does not read it.",
        effect="None on training; with fewer examples than photos the metric is that of a part.",
        fix=f"Set it to {facts.num_usable:,}, or leave it out with TF2.",
        source="TFOD protos/eval.proto",
    )


def _differs(evidence: Evidence) -> Finding | None:
    if evidence.nearest is None:
        return None
    different = [each for each in differences(evidence.config, evidence.nearest) if not _is_own(each)]
    if not different:
        return None
    listed = "; ".join(f"{each.path}: {_said(each.value)}, not {_said(each.other)}" for each in different)
    return Finding(
        name="differs_from_reference",
        area=Area.TRAINING,
        severity=Severity.INFO,
        what=f"{counted(len(different), 'field differs', 'fields differ')} from the nearest reference config, "
        f"{evidence.nearest.name}.",
        evidence=f"{listed}.",
        effect="What was changed knowingly is fine; the rest may be a leftover.",
        fix="Go through the list, and take back what nobody meant to change.",
        source=f"TFOD samples/configs/{evidence.nearest.name}.config",
    )


def _said(value: object) -> str:
    return "absent" if value is None else str(value)


def _is_own(each: Difference) -> bool:
    """Whether a field is meant to differ: a path that both set, or a number of the dataset."""
    last = each.path.rpartition(".")[2]
    is_path = last in {"input_path", "label_map_path", "fine_tune_checkpoint"} and each.value and each.other
    return bool(is_path) or last in {"num_classes", "num_examples"}


def _unknown_fields(evidence: Evidence) -> Finding | None:
    unknown = evidence.config.unknown_fields
    if not unknown:
        return None
    listed = ", ".join(f"{field.path} (line {field.line})" for field in unknown)
    return Finding(
        name="unknown_fields",
        area=Area.TRAINING,
        severity=Severity.INFO,
        what=f"{counted(len(unknown), 'field of the config is', 'fields of the config are')} not known to this audit.",
        evidence=f"{listed}.",
        effect="They were passed over; if TFOD does not know them either, it stops with an error.",
        fix="Check their spelling.",
        source="TFOD protos",
    )


TRAINING_RULES = (
    Rule(_num_classes, Reads.BOTH),
    Rule(_label_map, Reads.BOTH),
    Rule(_no_checkpoint, Reads.CONFIG),
    Rule(_too_many_epochs, Reads.BOTH),
    Rule(_input_paths, Reads.BOTH),
    Rule(_no_force_match, Reads.CONFIG),
    Rule(_high_rate, Reads.CONFIG),
    Rule(_constant_rate, Reads.BOTH),  # that the references have it too is no excuse: training showed what it costs
    Rule(_asynchronous, Reads.BOTH),
    Rule(_no_clipping, Reads.CONFIG),
    Rule(_zooms_in_only, Reads.CONFIG),
    Rule(_l2_without_backbone, Reads.BOTH),
    Rule(_eval_examples, Reads.BOTH),
    Rule(_differs, Reads.BOTH),
    Rule(_unknown_fields, Reads.BOTH),
)
