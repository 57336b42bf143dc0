"""The native agent of the Agent Client Protocol (ACP), version 1: an editor drives the engine over stdio."""
