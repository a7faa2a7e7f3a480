"""What a user would otherwise pick: each module is one script, run as a process of its own.

They know the task from a :class:`benchmarks.peers.task.Task` and import nothing but their own library, as a script
that somebody wrote by hand would.
"""
