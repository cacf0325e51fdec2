"""What readers are told, row by row: folds of events, pure; where rows are kept is not known."""
