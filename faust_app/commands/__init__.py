"""The `alpha-panda` command line, one module per group of commands, and the commands inside Faust."""
