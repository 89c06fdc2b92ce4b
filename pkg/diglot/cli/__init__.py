"""The command line: thin click commands over the rest of the package.

main.py is the entry point and root.py the tree of commands. A command takes an ``App`` (app.py), which knows the
global options, opens the database and prints (output.py). failure.py turns every error into one line and an
exit code.
"""
