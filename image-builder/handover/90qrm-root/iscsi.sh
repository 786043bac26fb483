# A root on a disk by iSCSI. open-iscsi's daemon logs in. The secret is in a file for root only, of this initrd, and
# then in the kernel, where root of the machine can read it for as long as the session lasts.
configuration=$at/etc/iscsi

deliver_iscsi() {
    target=$(value .iscsi.target)
    portal=$(value .iscsi.portal)
    log_in && find_root && check_root && mount_root
}

configure_iscsi() {
    mkdir -p "$configuration" "$at/run/lock/iscsi"
    value '"InitiatorName=\(.iscsi.initiator)\n"' >"$configuration/initiatorname.iscsi"
    # A session that carries the root is never given up while the machine runs: no pings that could end it, and a day
    # for the appliance to come back (open-iscsi's README, "iSCSI settings for iSCSI root").
    {
        printf '%s = %s\n' node.startup manual node.session.timeo.replacement_timeout 86400 \
            'node.conn[0].timeo.noop_out_interval' 0 'node.conn[0].timeo.noop_out_timeout' 0 \
            'node.conn[0].timeo.login_timeout' 15 node.session.initial_login_retry_max 2 \
            node.session.auth.authmethod CHAP
        value '.iscsi | "node.session.auth.username = \(.user)\nnode.session.auth.password = \(.secret)\n"'
    } >"$configuration/iscsid.conf"
}

log_in() {
    ! session >/dev/null || return 0
    modprobe -q -a iscsi_tcp sd_mod
    runs "$run/iscsid.pid" || start_iscsid
    said=$(iscsiadm -m node -T "$target" -p "$portal" -o new 2>&1 &&
        iscsiadm -m node -T "$target" -p "$portal" --login 2>&1) && return 0
    trouble 52 "its disk $target at $portal does not come by iSCSI: $(printf '%s' "$said" | grep -m 1 error)" \
        "let this TCP port of the appliance through; a refused login means that the attempt is over: retry it"
    return 1
}

runs() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

start_iscsid() {
    configure_iscsi
    unshare -m "$here/iscsid-room" "$configuration/initiatorname.iscsi" &
    echo $! >"$run/iscsid.pid"
    looks=0
    until grep -q ISCSIADM_ABSTRACT_NAMESPACE "$at/proc/net/unix" || [ "$looks" -ge 50 ]; do
        looks=$((looks + 1))
        sleep 0.2
    done
}

session() {
    # Prints the directory of the session with this target; there are no others.
    for each in "$at"/sys/class/iscsi_session/session*; do
        if [ "$(cat "$each/targetname" 2>/dev/null)" = "$target" ]; then
            echo "$each"
            return 0
        fi
    done
    return 1
}

find_root() {
    # Sets device: what has the UUID on this session's disk. Disks of this machine may hold the same file system.
    udevadm settle --timeout=30
    wanted=$(value .iscsi.root)
    for disk in "$(session)"/device/target*/*/block/*; do
        for part in "$disk" "$disk/${disk##*/}"*; do
            device=$at/dev/${part##*/}
            [ ! -e "$device" ] || [ "UUID=$(blkid -p -o value -s UUID "$device")" != "$wanted" ] || return 0
        done
    done
    trouble 52 "its disk $target has no file system with $wanted" "look at the volume, and retry the deployment"
    return 1
}

check_root() {
    # As e2fsck(8) has it: 1 is mended, 2 wants a restart, which before it is mounted there is no need for.
    kind=$(blkid -p -o value -s TYPE "$device")
    case $kind in ext2 | ext3 | ext4) ;; *) return 0 ;; esac
    said=$(e2fsck -p "$device" 2>&1)
    [ $? -lt 4 ] && return 0
    trouble 50 "its root file system needs to be repaired by hand: $(printf '%s' "$said" | tail -n 1)" \
        "repair the volume on the appliance, or deploy it anew"
    return 2
}

mount_root() {
    said=$(mount -t "$kind" -o rw "$device" "$root" 2>&1) && return 0
    trouble 50 "its root file system does not mount: $said" "choose another kernel for this image"
    return 2
}

leave_iscsid() {
    # An image that has open-iscsi itself takes the session over: its daemon finds it in the kernel. Two would not do.
    [ -f "$run/iscsid.pid" ] || return 0
    forget_nodes
    if [ -x "$root/usr/sbin/iscsid" ] || [ -x "$root/sbin/iscsid" ]; then
        kill "$(cat "$run/iscsid.pid")"
    fi
    rm -f "$run/iscsid.pid"
    if [ -d "$root/etc/iscsi" ]; then
        cat "$configuration/initiatorname.iscsi" >"$root/etc/iscsi/initiatorname.iscsi"
    fi
    return 0
}

forget_nodes() {
    # The daemon was told what it needs, and has it in memory.
    [ ! -f "$configuration/iscsid.conf" ] || shred -u "$configuration/iscsid.conf"
    [ ! -d "$at/var/lib/iscsi" ] || find "$at/var/lib/iscsi" -type f -exec shred -u {} +
}
