"""Operations on any project's database: copy, backup and restore, export and import, maintenance.

Each module has one operation: a function that takes a Project and database settings, with a thin command over it. All
of them run in constant memory, and leave either the state before or the state after the operation.
"""
