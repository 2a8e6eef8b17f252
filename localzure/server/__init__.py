"""The only part that owns sockets, clock, randomness, files and processes, and wires the rest together."""
