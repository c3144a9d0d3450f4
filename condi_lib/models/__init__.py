"""Teachers and students: networks from clips ``[B, 3, T, H, W]`` to class logits ``[B, C]``."""
