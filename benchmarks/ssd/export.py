"""Trained weights as TFLite: float16, with the raw outputs of TFOD's exporters.

cd benchmarks && python -m ssd.export ../oidata/sample/ssd/pipeline.config ../build/ssd/weights.npz ../build/ssd.tflite
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from oidata.io.configs import read_config
from ssd.examples import Pipeline
from ssd.network import build
from ssd.train import restore

if TYPE_CHECKING:
    from oidata.core.config.pipeline import PipelineConfig


def export(config: PipelineConfig, weights: Path) -> bytes:
    """The network with its weights: (1, H, W, 3) in [-1, 1] to box encodings and class scores of every anchor."""
    trained = build(config.message.model.ssd, Pipeline.of(config).grid)
    restore(trained.variables, weights)
    encodings, logits = trained.outputs
    scores = keras.layers.Activation("sigmoid", name="scores")(logits)
    photo = keras.Input(batch_shape=(1, *trained.input_shape[1:]))
    model = keras.Model(photo, keras.Model(trained.input, [encodings, scores])(photo))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    return content


def main() -> None:
    """Export as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="the pipeline.config of the training")
    parser.add_argument("weights", type=Path, help="the weights.npz of the training")
    parser.add_argument("out", type=Path, help="the .tflite to write")
    asked = parser.parse_args()
    content = export(read_config(asked.config), asked.weights)
    asked.out.write_bytes(content)
    print(f"{asked.out}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
