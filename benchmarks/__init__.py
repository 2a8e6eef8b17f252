"""Load generators, floors to compare with, and the run that measures servers against each other."""
