#!/bin/bash
# Run by dracut while it builds: what of ours goes into the hand-over initrd, and what that needs.

check() {
    return 255 # only where dracut.conf names it
}

depends() {
    echo base udev-rules
}

install() {
    local file
    inst_multiple busybox curl jq modprobe mount umount blkid udevadm losetup \
        mount.nfs mount.nfs4 iscsid iscsiadm e2fsck xfs_repair
    # Names of files with two meanings: these are busybox's, whatever else is installed.
    for file in awk base64 basename cat chmod chroot cp cut date dirname find grep head ip kill mkdir mktemp mv printf \
        readlink reboot rm sed sha256sum shred sleep sort tail tar touch tr udhcpc uname unshare wc; do
        ln -sf busybox "$initdir/usr/bin/$file"
    done
    inst_multiple -o /etc/protocols /etc/services /etc/netconfig /etc/nfsmount.conf "/usr/lib/systemd/network/*.link"
    inst_libdir_file "libgcc_s.so.1" "liblzma.so.5" "libzstd.so.1" "libz.so.1" "libnss_files.so.2"
    mkdir -p "$initdir/etc/iscsi" "$initdir/var/lib/nfs"
    ln -sf /run/resolv.conf "$initdir/etc/resolv.conf"
    for file in hand-over iscsid-room udhcpc-room udhcpc-kept.script screen.sh cmdline.sh network.sh curl.sh values.sh \
        values.jq ram.sh nfs.sh iscsi.sh leave.sh; do
        inst_simple "$moddir/$file" "/usr/lib/qrm-root/$file"
    done
    inst_simple "$moddir/udhcpc.script" /usr/lib/qrm-root/udhcpc.script
    chmod 755 "$initdir/usr/lib/qrm-root/udhcpc.script" "$initdir/usr/lib/qrm-root/udhcpc-kept.script"
    inst_hook cmdline 90 "$moddir/hook-cmdline.sh"
    inst_hook mount 10 "$moddir/hook-mount.sh"
    inst_hook emergency 10 "$moddir/hook-emergency.sh"
}
