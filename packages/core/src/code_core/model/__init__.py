"""The way to a model: clients, providers, retries, and the replay model."""
