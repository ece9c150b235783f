"""Plan -> readable Python source."""
