"""How the demo model sees pictures."""

IMAGE_SIZE = 64  # pixels
MEAN = STD = (0.5, 0.5, 0.5)
