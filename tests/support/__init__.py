"""What tests share, a module a subject; no test module imports another.

The sandbox loads the files of workflows again for each of their runs. This one and those say
PYTEST_DONT_REWRITE, because what pytest rewrites imports pytest there.
"""
