"""Files that customers upload, and the documents that people write beside them, for every pipeline. Pure."""
