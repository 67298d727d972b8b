"""The learning rate of a pipeline config, step by step, as TFOD's utils/learning_schedules.py has it."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidata.core.config.pipeline_pb2 import (
        CosineDecayLearningRate,
        ExponentialDecayLearningRate,
        LearningRate,
        ManualStepLearningRate,
        TrainConfig,
    )


@dataclass(frozen=True)
class Schedule:
    """The rates that training goes through: the highest one, and that of the last step."""

    peak: float
    final: float


def schedule(train: TrainConfig) -> Schedule | None:
    """The rates of a train_config over its num_steps; None where it names no optimizer or no learning rate.

    With num_steps 0, which trains until it is stopped, the schedule is looked at up to its own last change.
    """
    optimizer = train.optimizer.WhichOneof("optimizer")
    if optimizer is None:
        return None
    rate: LearningRate = getattr(train.optimizer, optimizer).learning_rate
    if rate.WhichOneof("learning_rate") is None:
        return None
    changes = sorted(_changes(rate))
    last = train.num_steps - 1 if train.num_steps else changes[-1]
    rates = [rate_at(rate, step) for step in (*changes, last) if step <= last]
    return Schedule(max(rates), rate_at(rate, last))


def rate_at(rate: LearningRate, step: int) -> float:
    """The learning rate of a training step, counted from 0. Raises ValueError where `rate` is none of TFOD's four."""
    match rate.WhichOneof("learning_rate"):
        case "constant_learning_rate":
            return rate.constant_learning_rate.learning_rate
        case "exponential_decay_learning_rate":
            return _exponential(rate.exponential_decay_learning_rate, step)
        case "manual_step_learning_rate":
            return _manual(rate.manual_step_learning_rate, step)
        case "cosine_decay_learning_rate":
            return _cosine(rate.cosine_decay_learning_rate, step)
    message = "no learning rate is set"
    raise ValueError(message)


def _exponential(rate: ExponentialDecayLearningRate, step: int) -> float:
    if step < rate.burnin_steps:
        return max(rate.burnin_learning_rate or rate.initial_learning_rate, rate.min_learning_rate)
    periods = step / max(rate.decay_steps, 1)  # decay_steps count the burn-in too
    exponent = math.floor(periods) if rate.staircase else periods
    return max(rate.initial_learning_rate * rate.decay_factor**exponent, rate.min_learning_rate)


def _manual(rate: ManualStepLearningRate, step: int) -> float:
    steps = [change.step for change in rate.schedule]
    rates = [rate.initial_learning_rate, *(change.learning_rate for change in rate.schedule)]
    place = bisect_right(steps, step)
    if rate.warmup and steps and place == 0:
        return rates[0] + (rates[1] - rates[0]) * step / steps[0]
    return rates[place]


def _cosine(rate: CosineDecayLearningRate, step: int) -> float:
    if step < rate.warmup_steps:
        low, high = rate.warmup_learning_rate, rate.learning_rate_base
        return low + (high - low) * step / rate.warmup_steps
    if step > rate.total_steps:
        return 0.0
    start = rate.warmup_steps + rate.hold_base_rate_steps
    if step < start:
        return rate.learning_rate_base
    share = (step - start) / max(rate.total_steps - start, 1)
    return 0.5 * rate.learning_rate_base * (1 + math.cos(math.pi * share))


def _changes(rate: LearningRate) -> list[int]:
    """The steps at which the schedule takes another course."""
    exponential, manual, cosine = (
        rate.exponential_decay_learning_rate,
        rate.manual_step_learning_rate,
        rate.cosine_decay_learning_rate,
    )
    match rate.WhichOneof("learning_rate"):
        case "exponential_decay_learning_rate":
            return [0, exponential.burnin_steps, exponential.decay_steps]
        case "manual_step_learning_rate":
            return [0, *(change.step for change in manual.schedule)]
        case "cosine_decay_learning_rate":
            return [0, cosine.warmup_steps, cosine.warmup_steps + cosine.hold_base_rate_steps, cosine.total_steps]
    return [0]
