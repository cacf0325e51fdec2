"""The read model of a log: kept up with it, built anew, compared with it."""
