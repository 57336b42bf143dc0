"""The message with which plan mode refuses a change."""

NOTHING_CHANGES = "plan mode is on, and nothing may change until the user accepts the plan"
