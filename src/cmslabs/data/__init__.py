"""Data: cards, downloads and readers.

`catalog` says what each dataset is, `download` brings and verifies its files, and the readers give one
documented awkward layout each.  Nothing is imported here: a reader loads only what it needs.
"""
