"""Online distillation: networks that are trained together and learn from each other."""
