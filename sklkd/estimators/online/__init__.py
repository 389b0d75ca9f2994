"""Online distillation: networks that are trained together and teach each other."""
