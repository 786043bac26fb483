#!/bin/sh
# Read by dracut's init, which wants to know what its root is: ours, whatever the kernel's command line says.
root=qrm
rootok=1
# The module `base` of dracut reads it: what it starts with, and never waits for, are disks of this machine.
netroot=
