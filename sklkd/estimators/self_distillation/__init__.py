"""Self-distillation: a network that is its own teacher."""
