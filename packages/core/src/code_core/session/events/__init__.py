"""Events: a numbered log with any number of readers, and the rules for what each must see."""
