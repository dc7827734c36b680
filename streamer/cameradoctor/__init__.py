"""Judges what a camera shows before it is trusted: is it good enough to read plates, and which setting of the camera to change if not."""
