# A root by NFS 4.2, over TCP, waited for as long as it takes (`hard`): the machine's own, or one that is read-only with
# a layer in memory above it.

deliver_nfs() {
    from=$(value .nfs.server):$(value .nfs.path)
    options=vers=4.2,proto=tcp,hard,sec=sys,retry=0
    modprobe -q -a nfs nfsv4 overlay
    # Servers tell machines apart by this name; two with the same one would take each other's files away (RFC 8881,
    # 2.4).
    name=$at/sys/module/nfs/parameters/nfs4_unique_id
    [ ! -w "$name" ] || printf 'qrm-%s' "$mac" >"$name"
    if [ "$(value .nfs.overlay)" = true ]; then
        mkdir -p "$run/lower"
        mount_nfs "$options,ro" "$run/lower" || return 1
        mount_above
    else
        mount_nfs "$options,rw" "$root"
    fi
}

mount_nfs() {
    # mount_nfs OPTIONS PLACE
    ! mounted "$2" || return 0
    said=$(mount -t nfs4 -o "$1" "$from" "$2" 2>&1) && return 0
    trouble 52 "its root $from does not come by NFS: $said" \
        "let TCP port 2049 of the appliance through; the export is this machine's, at its address $address"
    return 1
}

mounted() {
    # mounted PLACE: none of ours has a blank in its name.
    grep -q "^[^ ]* $1 " "$at/proc/mounts"
}
