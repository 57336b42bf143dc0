"""Talking to models: clients, providers, retries, and the replay model."""
