"""What several commands share.

api        questions to a running search
arguments  kinds of arguments: numbers, names of folders
command    how a command ends: exit codes, and one line for an error
errors     the errors, and their reasons in words
localhost  HTTP to this machine
output     lines, problems and results; --quiet and --json
processes  the functions as child processes
progress   bars, or lines where there is no terminal
retry      how often and when to try again
"""
