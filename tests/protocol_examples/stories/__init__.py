"""What has to happen for the examples; how, is told in `__main__.py`."""
