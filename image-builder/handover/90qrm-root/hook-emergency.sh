#!/bin/sh
# Read by dracut's init before it would open a shell, whatever for: there is none for whoever stands at the machine.
echo "The hand-over initrd cannot go on. This machine restarts in 60 seconds." >/dev/console
sleep 60
reboot -f
