"""Operations on the database of any project: copy it, back it up and restore it, export and import it, look after it.

Each module has one operation as a function that takes a Project and settings of databases; the command line is thin
over it. All of them run in constant memory and leave either the state before or the state after them.
"""
