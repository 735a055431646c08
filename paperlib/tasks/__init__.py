"""What a run does, one module a method: data and settings in, predictions for the test items out."""
