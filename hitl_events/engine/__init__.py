"""The sans-I/O engine of one partition: records in, effects out."""
