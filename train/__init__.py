"""Data, training, evaluation and export of the models; uses ``streamer``, never the other way round."""
