"""`code demo`: a scripted model fixes a failing test; everything else is real."""
