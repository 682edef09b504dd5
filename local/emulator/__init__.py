"""A TikTok API for Business that answers on this machine: custom audiences, from files and streamed, and events.

It is a judge: it imports nothing of the connector, so that a wrong value cannot be wrong on both sides. Start it with
``python -m local.emulator --port 8700`` or, inside a test, with ``local.emulator.server.EmulatorServer``.

The two lists below say how far it can be trusted. The page at ``/`` shows them too; ``/events`` shows what events came.

Documented by TikTok
--------------------
- Paths begin with /open_api/v1.3/ and are served with and without the final slash (API reference section 1.1).
- The token travels in the header Access-Token; Authorization: Bearer is not looked at (section 1.2).
- Every answer has code, message, request_id and data; success is code 0 with the text OK (section 1.3).
- Errors of the API come with HTTP status 200 and a code other than 0 (section 1.4).
- Limits hold for each app over all endpoints: 10 a second, 600 a minute, 864,000 a day, then 40100 (section 1.6).
- Streaming has limits of its own: 10,000 a second, 600,000 a minute, 864,000,000 a day (section 1.6).
- A missing scope is 40001 (section 2.3).
- The signature of an upload is the MD5 of the exact bytes; the file name ends in .csv or .txt; 250 MB (section 3.1).
- calculate_type is a strict enumeration; create and list do not know MAID_SHA256 and MAID_MD5 (section 3.2).
- Hashes have 64 (SHA-256) or 32 (MD5) characters, upper or lower case, one in each line (section 3.3).
- MULTIPLE_TYPES demands a header; every row has as many fields as the header; a name at most 3 times (section 3.3).
- create takes 1 to 500 file_paths of exactly 16 characters and a name of 1 to 128 characters (section 3.4).
- Two audiences may have the same name (section 3.4).
- At most 400 custom audiences for one advertiser (section 3.4).
- retention_in_days sets a fixed expiry; without it, 365 days after the last modification (section 3.4).
- update without action REPLACES the whole content (section 3.5).
- REMOVE and REPLACE are accepted and fail afterwards if fewer than 1,000 would be left (section 3.5).
- When audience_sub_type is present in update, all its other changes are ignored (section 3.5).
- page_size is 1 to 100 and 10 by default (section 3.6).
- is_expiring means that the audience expires within 60 days; an expired one is not valid (sections 3.4 and 3.6).
- create answers custom_audience_id; list, get and segment/audience answer audience_id; get says type, list says
  audience_type (section 3.7).
- delete takes 1 to 100 ids (section 3.8).
- A segment audience is a "Partner" of MULTIPLE_TYPES and begins empty, with a history entry "create" of "0"; its name
  is cut to 67 characters and "..." if it is longer than 70 (sections 3.7 and 4.1).
- id_schema names up to six kinds of identifiers, in any order, none twice; a person without one has {} (section 4.2).
- The audiences of a mapping belong to one of advertiser_ids (section 4.2).
- Events have limits of their own: 1,000 a second, 600,000 a minute, 86,400,000 a day (section 1.6).
- A request has 1 to 1,000 events of one source: web, app, offline or crm; more are refused whole (section 6.1).
- event_source_id is the code of a pixel, not its pixel_id (section 6.1).
- A web event needs page.url, an app event app.app_id, a crm event lead.lead_id; all need event and event_time, a whole
  number. Unknown members are ignored, those of user too (section 6.1).
- One bad event refuses the whole request; the text begins with its dotted path (sections 1.5 and 6.4).
- A pixel that the token may not operate is 40001 with the recorded text (section 1.5).
- The same event_source_id, event and event_id again is merged within 5 minutes and dropped within 48 hours; a web event
  without event_id is dropped if event and ttp came within 5 minutes. The answer is code 0 all the same (section 6.4).
- test_event_code stands beside data, and its events are no real data (sections 6.1 and 6.4).
- pixel/list answers data.pixels, 1 to 20 on a page, 10 by default, EARLIEST_CREATE first; name is fuzzy (section 7.1).
- A pixel's name has 1 to 40 characters and no emoji (section 7.1). offline/get has no pages (section 7.2).
- The filters of crm/list are exact, and both have to be met (section 7.3).

Guessed
-------
- The order of the checks: route, token, rate, scope, parameters, advertiser, role, objects (section 9.1).
- The codes of the upload checks, inferred from their names: 40900, 40905 to 40910 (section 1.5), made in the order
  signature, suffix, empty, size, content; and every message text that section 1.5 does not record.
- Rejected calls do not count against the rate limits; a window slides on the emulator's clock and
  nothing is blocked longer (section 9.2).
- Content that does not fit its calculate_type is refused at upload with 40909, a blank line inside the file too; the
  first line is taken for a header if it is a name such as EMAIL_SHA256; a file of a header alone is empty,
  40906 (section 9.3).
- A file_path can be used again and expires after 24 hours with 40910; another advertiser's is 40905 (section 9.3).
- An id that is a JSON number, and a body that is not sent as application/json, are 40002 (section 1.2).
- A wrong method on a known path is 40400; a wrong version of the API is 40051 (section 9.1).
- What TikTok has changes at once; is_valid, cover_num, error_msg and the msg of a history entry follow after one hour,
  a failed operation's as well (section 9.4).
- An APPEND is always carried out, although the reference reads as if any operation could fail for size: otherwise a
  large audience could not be built from small files.
- An audience below the minimum stays invalid, with an error_msg (section 9.4).
- Every hash matches one person, so cover_num is the number of different hashes, each column of MULTIPLE_TYPES counted
  for itself; match_rate lowers it (section 9.4).
- Files of another calculate_type than create states: the audience is made and never valid (section 9.3). In update:
  code 0, not carried out, error_msg and history entry. MAID_* and FIRST_* are the same type, IDFA_* and FIRST_* not.
- An update while an earlier change is processing is accepted (section 3.5, register entry 12).
- An update that names no change is 40002; action is checked even without file_paths (section 3.5).
- The 401st audience is 40002; unknown ids are 40002 in update and delete, and left out by get (section 9.4).
- advertiser/info takes at most 100 ids; most of its fields are null (section 2.2).
- segment/audience deletes only segment audiences, at once; an update with file_paths on one is 40002 (section 4.1).
- A mapping is carried out whole or refused whole with 40002. Each person has exactly as many elements as id_schema, and
  at least one identifier; an unknown audience, or one made of files, is invalid (sections 4.2 and 9.5).
- A mapping holds at most 10,000 people and 10 MB; advertiser_ids at most 100 (section 4.2 records no limit).
- The action of a mapping and the names in id_schema may be in any letter case (section 4.2 knows lower case of both).
- Adding twice and deleting what is absent are successes. Each identifier counts once in each slot (section 9.5).
- No minimum keeps a mapping from being carried out, but an audience that it leaves below the minimum is not valid.
- Mappings show like updates, those of one second together, and leave no entry in the history (section 9.5).
- Calls to the Streaming API do not count against the limits over all endpoints (section 1.6).
- delete is all or nothing and takes effect at once (section 9.4).
- list is ordered from the newest; a page beyond the end is an empty list; no audiences make 0 pages (section 9.4).
- The actions in the history are create, append, remove, replace and rename; action_detail is the number of different
  identifiers in the files (section 3.7 records only create with "0").
- Fields of get that no real answer shows are null (section 3.7).
- Types, and which members an object needs, are checked alike for every source; null counts as absent. A currency is
  three capital letters, and att_status, content_type and customer_type are strict (section 6.1).
- event_time in milliseconds, of the future or long ago is accepted; each can be refused (section 9.6).
- An offline event has one of the 18 standard names, else 40002; other sources' may have any name (section 6.3).
- Plain e-mail addresses and phone numbers are accepted and match nobody; refused they would be 40062 (section 9.6).
- A body of more than 5 MB is 40002 (section 6.1 records no limit).
- An offline or CRM event set or an app that nobody has is 40002, another advertiser's 40001 (section 9.6).
- Any app may send app events, any partner_name is taken, and a web event needs no user (section 6.1).
- Duplicates are measured from the first event, by the time of arrival; an empty event_id is none. When two are merged,
  the first is right where they contradict one another (section 6.4).
- Partial success, 20001, is answered only if the rest of a bad request is to be accepted; data is {} (section 9.6).
- Events come with HTTP status 200 too; 400 and 401 as the page on events says are a setting (section 1.4).
- Two pixels, and two offline event sets, may have the same name; at most 10 offline event sets (section 7.2).
- offline/get without advertiser_id shows all sets that the token reaches; its name is fuzzy (section 7.2).
- The scope for events is not that for event sources: section 2.3 tells of tokens that have only the first.
- Most fields of an app are guessed: section 7.3 records no answer of app/list.
"""
