#!/bin/sh
# Read by dracut's init when devices are there: returns when the root is mounted, and not before.
/usr/lib/qrm-root/hand-over "$NEWROOT"
