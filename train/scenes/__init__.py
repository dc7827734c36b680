"""Photographs with rendered plates: what real ones show too seldom (two lines, motorcycles, night, far away), with corners."""

from __future__ import annotations

from train.scenes.config import ScenesConfig, load_scenes_config
from train.scenes.maker import Scene, SceneMaker
from train.scenes.write import Order, write_scenes

__all__ = ["Order", "Scene", "SceneMaker", "ScenesConfig", "load_scenes_config", "write_scenes"]
