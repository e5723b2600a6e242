"""The facts of the encoders as data, a file a modality."""
