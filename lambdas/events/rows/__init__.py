"""From a row of an events file, or a live message, to the event that TikTok is sent. Pure.

``check`` is the door: it turns named fields into the element of ``data`` (API reference section 6.1), or says why there
is none. ``fields`` is the table of all columns, ``values`` and ``people`` read what they hold, ``names`` knows what
events are called. ``file_rows`` takes a file apart into rows.
"""
