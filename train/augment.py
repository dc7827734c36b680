"""What cameras and weather do to a picture, declared as probabilities in configs/train/*.yaml, done by albumentations."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Probability = Field(default=0.0, ge=0.0, le=1.0)


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
        import albumentations as A  # noqa: N812 - its documentation's name

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
