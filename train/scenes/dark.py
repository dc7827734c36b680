"""Makes night of day."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from train.scenes.light import Light
from train.synth.dice import Dice
from train.synth.paint import Canvas


def darkened(dice: Dice, image: Canvas) -> Canvas:
    """Give a picture as a camera sees it at night: dark, a little blue or orange, noisy, what was bright still the brightest."""
    gamma, gain = dice.between(1.3, 2.4), dice.between(0.3, 0.75)
    levels = 255.0 * gain * (np.arange(256) / 255.0) ** gamma
    dark = levels.astype(np.float32)[image]
    dark *= np.array(dice.pick(((1.1, 1.0, 0.9), (0.75, 0.95, 1.15), (1.0, 1.0, 1.0), (0.95, 0.85, 1.1))), np.float32)
    tall, width = image.shape[:2]
    for _ in range(dice.weighted({0: 0.5, 1: 0.2, 2: 0.3})):  # lamps, out of the picture's middle
        x, y = dice.between(0, width), dice.between(0.1, 0.7) * tall
        reach = dice.between(0.01, 0.06) * width
        down, across = np.ogrid[0:tall, 0:width]
        far = np.hypot(across - x, down - y).astype(np.float32)
        glow = 255 * np.exp(-((far / reach) ** 2)) + dice.between(20, 90) * np.exp(-far / (5 * reach))
        dark += glow[..., None] * np.array(dice.pick(((0.8, 0.95, 1.0), (0.3, 0.4, 1.0), (1.0, 1.0, 1.0))), np.float32)
    grain = np.float32(dice.between(1, 6)) * dice.noise(tall, width, 3)
    if dice.chance(0.5):
        grain = cv2.GaussianBlur(grain, (0, 0), 0.7).astype(np.float32)
    return np.clip(dark + grain, 0, 255).astype(np.uint8)


def lamp(dice: Dice, light: Light) -> Light:
    """Light a plate: by its lamp, by headlamps, or by infrared, which leaves no colour; some stay nearly dark."""
    high = dice.weighted({dice.between(45, 90): 0.3, dice.between(90, 170): 0.4, dice.between(170, 255): 0.3})
    cast = (1.0, 1.0, 1.0) if dice.chance(0.4) else light.cast
    return replace(light, low=high * dice.between(0.05, 0.4), high=high, cast=cast)
