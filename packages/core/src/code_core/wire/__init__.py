"""Conversion between bytes and protocol, without IO."""
