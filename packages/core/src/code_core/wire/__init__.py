"""Bytes to protocol and back, without IO."""
