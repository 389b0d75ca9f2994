"""Offline distillation: a trained teacher, and a student that learns from it."""
