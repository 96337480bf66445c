"""The command line: each verb imports what it needs when it is called, so that `--help` is quick."""
