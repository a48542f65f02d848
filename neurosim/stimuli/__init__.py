"""What is shown: images, Gabor features of them, and encoders that turn them into spikes."""
