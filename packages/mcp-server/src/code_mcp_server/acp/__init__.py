"""The native Agent Client Protocol (ACP) agent, version 1: an editor drives the engine over stdio."""
