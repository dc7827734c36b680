"""The data doctor: what is wrong with a data set, told in findings, figures and pictures."""

from train.check.examine import examine
from train.check.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
