"""Trained weights to the formats that engines load, checked against what they were made from."""
