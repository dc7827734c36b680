"""Brings pictures and what is known about them into one manifest: a reader for each format, one gatherer for all."""

from train.collect.found import Found, Mark, Options, Skipped
from train.collect.gather import Gathered, gather, skipped_file
from train.collect.readers import FORMATS, detect_format, read_source

__all__ = ["FORMATS", "Found", "Gathered", "Mark", "Options", "Skipped", "detect_format", "gather", "read_source", "skipped_file"]
