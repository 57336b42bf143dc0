"""Events: one numbered log, any number of readers, and what a reader must see."""
