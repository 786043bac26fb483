"""Pools and their volumes behind one seam: LVM, a directory, nothing but memory."""
