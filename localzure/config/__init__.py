"""Settings: one typed schema, read from command line, environment, file and defaults.

`options.OPTIONS` is the whole schema as a table: a row per setting with its path in the file, its flag, what it
takes and its default. `load.load` reads every source by it and gives `settings.Settings`.
"""
