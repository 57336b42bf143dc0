"""The history: what was said and done, recorded first, in the form that the model API accepts."""
