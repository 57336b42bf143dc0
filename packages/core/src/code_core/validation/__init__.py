"""What checkers say of a patch before it is applied; their findings never block it."""
