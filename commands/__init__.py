"""What every command does alike: exit codes, sentences, outputs, the environment, tools, builds.

`commands.tools` runs before anything is installed: it and this file need Python alone.
"""
