"""Context that the model gets in addition to the conversation."""
