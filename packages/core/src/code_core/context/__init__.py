"""Context sent to the model in addition to the conversation."""
