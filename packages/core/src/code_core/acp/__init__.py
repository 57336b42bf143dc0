"""The Agent Client Protocol (version 1) as values: translation without IO."""
