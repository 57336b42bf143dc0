"""Plan mode: what the model is told when it tries to change something."""

NOTHING_CHANGES = "plan mode is on, and nothing may change until the user accepts the plan"
