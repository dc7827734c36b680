"""What cameras and weather do to a picture, declared as probabilities in configs/train/*.yaml, done by albumentations."""

from __future__ import annotations

import os
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Probability = Field(default=0.0, ge=0.0, le=1.0)
Share = Annotated[float, Field(ge=0.0, le=1.0)]
GREY = 114
"""Beyond the picture's edge, in all channels: what YOLOv8 is trained with."""


def _albumentations() -> Any:
    """Import it without its question to the network whether there is a newer version."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations

    return albumentations


class Weather(BaseModel):
    """Probability of each degradation; none moves a pixel, so that boxes stay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    motion_blur: float = Probability
    defocus: float = Probability
    noise: float = Probability
    jpeg: float = Probability
    night: float = Probability
    glare: float = Probability
    rain: float = Probability
    dirt: float = Probability
    grey: float = Probability

    def transforms(self) -> list[Any]:
        """Give the albumentations transforms, for uint8 pictures (h, w, 3), in the order of the world: weather, lens, sensor, codec."""
        A = _albumentations()  # noqa: N806 - its documentation's name
        return [
            A.RandomRain(slant_range=(-10, 10), drop_length=12, drop_width=1, blur_value=3, p=self.rain),
            A.RandomSunFlare(flare_roi=(0.0, 0.0, 1.0, 1.0), src_radius=120, num_flare_circles_range=(2, 5), p=self.glare),
            A.Spatter(mode="mud", cutout_threshold=(0.55, 0.7), p=self.dirt),
            A.MotionBlur(blur_limit=(3, 9), p=self.motion_blur),
            A.Defocus(radius=(1, 3), alias_blur=(0.1, 0.3), p=self.defocus),
            A.Sequential(
                [
                    A.RandomGamma(gamma_limit=(140, 230), p=1.0),  # headlamps stay bright, the rest sinks
                    A.ISONoise(color_shift=(0.01, 0.05), intensity=(0.1, 0.4), p=1.0),
                ],
                p=self.night,
            ),
            A.GaussNoise(std_range=(0.01, 0.06), p=self.noise),
            A.ToGray(p=self.grey),
            A.ImageCompression(quality_range=(25, 85), p=self.jpeg),
        ]


class Augment(Weather):
    """Weather, and what happens to geometry and colour (in the meanings and units of ultralytics, which does it in training)."""

    mosaic: Share = 1.0
    scale: Share = 0.5
    degrees: float = Field(default=0.0, ge=0.0, le=180.0)
    shear: float = Field(default=0.0, ge=0.0, le=45.0)
    perspective: float = Field(default=0.0, ge=0.0, le=0.001)
    translate: Share = 0.1
    flip: Share = 0.0
    hue: Share = 0.015
    saturation: Share = 0.7
    brightness: Share = 0.4

    def copies(self) -> Any:
        """Give an albumentations Compose that makes augmented copies with their boxes (``bboxes`` in pixels x1 y1 x2 y2, ``labels``).

        Every copy is moved and coloured, and has one of the weathers, drawn by their probabilities: as alike as in training they
        would often be the same picture again. A box of which less than a third stays in the picture is dropped.
        """
        A = _albumentations()  # noqa: N806 - its documentation's name
        weather = [transform for transform in self.transforms() if transform.p > 0]
        steps = [
            A.HorizontalFlip(p=self.flip),
            A.Affine(
                scale=(1 - min(self.scale, 0.9), 1 + self.scale),
                rotate=(-self.degrees, self.degrees),
                shear=(-self.shear, self.shear),
                translate_percent=(-self.translate, self.translate),
                fill=GREY,
                p=1.0,
            ),
            A.Perspective(scale=(0.01, 0.06), fill=GREY, p=0.5 if self.perspective else 0.0),
            A.ColorJitter(
                brightness=(1 - self.brightness, 1 + self.brightness),
                contrast=(1.0, 1.0),
                saturation=(1 - self.saturation, 1 + self.saturation),
                hue=(-min(self.hue, 0.5), min(self.hue, 0.5)),
                p=1.0,
            ),
        ]
        if weather:
            steps.append(A.OneOf(weather, p=1.0))
        return A.Compose(steps, bbox_params=A.BboxParams(format="pascal_voc", label_fields=["labels"], min_visibility=1 / 3, clip=True))


TYPICAL = Augment(
    degrees=6.0,
    shear=2.0,
    perspective=0.0003,
    saturation=0.6,
    brightness=0.45,
    motion_blur=0.08,
    defocus=0.04,
    noise=0.08,
    jpeg=0.15,
    night=0.06,
    glare=0.03,
    rain=0.03,
    dirt=0.03,
    grey=0.06,
)
"""What configs/train/detector.yaml declares, for who names no configuration."""
