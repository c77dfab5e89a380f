"""Data from files: which files a model may read, tables in text files and workbooks, and the functions that read them."""
