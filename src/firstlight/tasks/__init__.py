"""The task library, one folder a scientific domain."""
