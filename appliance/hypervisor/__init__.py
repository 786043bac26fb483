"""Virtual machines on their hosts, behind one seam."""
