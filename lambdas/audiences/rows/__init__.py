"""From the bytes of an audience file to the rows that are sent: of every format, layout and compression.

``check`` is the door: it reads a file to its end, counts its rows, plans the parts, and gives the content of each. The
other modules serve it: ``blocks`` cuts a stream at line ends, ``hash_lines`` cleans lists of hashes, ``columns`` and
``entries`` everything that is looked at field by field. Pure, with memory that does not depend on the file.
"""
