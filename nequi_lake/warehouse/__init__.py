"""The warehouse: whole releases in a database, with keys, comments and grants, for the tools that people connect.

Needs the extra ``warehouse``; nothing here imports its driver before it is used.
"""
