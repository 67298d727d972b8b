"""Learning rates are those of TFOD's utils/learning_schedules.py."""

import pytest
from google.protobuf import text_format

from oidata.core.config.pipeline_pb2 import LearningRate, TrainConfig
from oidata.core.config.schedule import Schedule, rate_at, schedule

# Values of TFOD's utils/learning_schedules_test.py.
EXPONENTIAL = """exponential_decay_learning_rate {
  initial_learning_rate: 1.0 decay_steps: 3 decay_factor: 0.1 burnin_learning_rate: 0.5 burnin_steps: 2 }"""
COSINE = """cosine_decay_learning_rate {
  learning_rate_base: 1.0 total_steps: 100 warmup_learning_rate: 0.1 warmup_steps: 9 }"""
COSINE_HELD = """cosine_decay_learning_rate {
  learning_rate_base: 1.0 total_steps: 100 warmup_learning_rate: 0.1 warmup_steps: 9 hold_base_rate_steps: 20 }"""
MANUAL = """manual_step_learning_rate { initial_learning_rate: 1.0 schedule { step: 2 learning_rate: 2.0 }
  schedule { step: 3 learning_rate: 3.0 } schedule { step: 7 learning_rate: 4.0 } }"""
MANUAL_WARM = """manual_step_learning_rate { initial_learning_rate: 0.02 warmup: true
  schedule { step: 3 learning_rate: 0.1 } schedule { step: 6 learning_rate: 0.01 } }"""


def learning_rate(text: str) -> LearningRate:
    return text_format.Parse(text, LearningRate())


@pytest.mark.parametrize(
    "text, steps, expected",
    [
        (EXPONENTIAL, range(8), [0.5, 0.5, 1, 0.1, 0.1, 0.1, 0.01, 0.01]),
        (COSINE, (0, 4, 8, 9, 100), [0.1, 0.5, 0.9, 1.0, 0]),
        (COSINE_HELD, (0, 4, 8, 9, 29, 100, 101), [0.1, 0.5, 0.9, 1.0, 1.0, 0, 0]),
        (MANUAL, range(10), [1, 1, 2, 3, 3, 3, 3, 4, 4, 4]),
        (MANUAL_WARM, range(8), [0.02, 0.0466667, 0.0733333, 0.1, 0.1, 0.1, 0.01, 0.01]),
        ("constant_learning_rate { learning_rate: 0.1 }", (0, 99), [0.1, 0.1]),
    ],
)
def test_rates_are_those_that_are_published(text: str, steps: range, expected: list[float]) -> None:
    """Each kind of schedule gives at each step what TFOD's own tests expect."""
    rate = learning_rate(text)
    assert [rate_at(rate, step) for step in steps] == pytest.approx(expected)


@pytest.mark.parametrize(
    "text, expected",
    [
        (f"num_steps: 101 optimizer {{ momentum_optimizer {{ learning_rate {{ {COSINE} }} }} }}", Schedule(1, 0)),
        (f"num_steps: 5 optimizer {{ momentum_optimizer {{ learning_rate {{ {COSINE} }} }} }}", Schedule(0.5, 0.5)),
        (f"optimizer {{ adam_optimizer {{ learning_rate {{ {MANUAL} }} }} }}", Schedule(4, 4)),
        ("num_steps: 5 optimizer { adam_optimizer { } }", None),
        ("num_steps: 5", None),
    ],
)
def test_a_schedule_knows_its_highest_and_last_rate(text: str, expected: Schedule | None) -> None:
    """The peak and the final rate are those of the steps that are trained; without a rate there is no schedule."""
    found = schedule(text_format.Parse(text, TrainConfig()))
    assert (found is None) == (expected is None)
    if found and expected:
        assert (found.peak, found.final) == pytest.approx((expected.peak, expected.final))


def test_a_rate_may_never_decay() -> None:
    """The reference configs' decay_steps of 800,720 lie beyond their 200,000 steps: the last rate is the first."""
    text = """num_steps: 200000 optimizer { rms_prop_optimizer { learning_rate { exponential_decay_learning_rate {
      initial_learning_rate: 0.004 decay_steps: 800720 decay_factor: 0.95 } } } }"""
    found = schedule(text_format.Parse(text, TrainConfig()))
    assert found == Schedule(pytest.approx(0.004), pytest.approx(0.004))  # type: ignore[arg-type]
