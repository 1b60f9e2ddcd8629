"""Distance pictures of a face: in another camera's picture, in millimetres, as motion in space, as a shaded picture."""
