"""Sessions on disk: rollouts, their index, locks, message history and checkpoints."""
