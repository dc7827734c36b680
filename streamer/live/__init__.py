"""Live cameras: what makes a daemon of the pipeline."""
