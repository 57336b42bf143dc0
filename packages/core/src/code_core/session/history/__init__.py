"""The history: recorded first, then sent to the model in the form that its API accepts."""
