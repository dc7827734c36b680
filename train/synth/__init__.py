"""Plates that no camera saw: number plates rendered from the country formats, for training readers and character detectors."""

from __future__ import annotations

from train.synth.config import SynthConfig, load_synth_config
from train.synth.crops import PlateRenderer, SyntheticCrop

__all__ = ["PlateRenderer", "SynthConfig", "SyntheticCrop", "load_synth_config"]
