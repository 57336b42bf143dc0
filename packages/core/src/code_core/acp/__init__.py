"""Translation to and from the Agent Client Protocol (version 1), without IO."""
